"""Says what is derived and no longer fits what it is derived from; exit code 1 if anything is. Needs no network and no cluster.

generated files      CRDs and field reference, from the models
the chart's CRDs     copies of crds/
lock files           requirements*.lock, from pyproject.toml
examples             every object fits its CRD (a cluster test also applies each, which checks the rules written in CEL)
"""

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagebuild.lock import Pin, parse

REPO = Path(__file__).resolve().parent.parent
GROUP = "stint.dev/"

Object = dict[str, Any]


def main() -> int:
    checks: dict[str, Callable[[Path], list[str]]] = {
        "generated files": generated,
        "CRDs of the chart": chart_crds,
        "lock files": locks,
        "examples": examples,
    }
    failed = False
    for name, check in checks.items():
        problems = check(REPO)
        failed = failed or bool(problems)
        print(f"{name}: {'up to date' if not problems else ''}", *problems, sep="\n  " if problems else "")
    return 1 if failed else 0


def generated(repo: Path) -> list[str]:
    """The difference that hack/generate.py sees."""
    done = subprocess.run([sys.executable, str(repo / "hack/generate.py"), "--check"], capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [*done.stdout.splitlines(), *done.stderr.splitlines()]


def chart_crds(repo: Path) -> list[str]:
    wanted = {file.name: file.read_bytes() for file in (repo / "crds").glob("*.yaml")}
    found = {file.name: file.read_bytes() for file in (repo / "charts/stint/files/crds").glob("*.yaml")}
    different = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
    return [f"charts/stint/files/crds/{name} is not a copy of crds/{name}: run `make generate`" for name in different]


def locks(repo: Path) -> list[str]:
    """Is every requirement locked, at a version that it allows, with the same version in both files?"""
    project = tomllib.loads((repo / "pyproject.toml").read_text())["project"]
    product = {pin.name: pin for pin in parse((repo / "requirements.lock").read_text())}
    developer = {pin.name: pin for pin in parse((repo / "requirements-dev.lock").read_text())}
    problems = [
        *unlocked(project["dependencies"], product, "requirements.lock"),
        *unlocked([*project["dependencies"], *all_of(project, "dev")], developer, "requirements-dev.lock"),
    ]
    for name, pin in product.items():
        if name not in developer or developer[name].version != pin.version:
            problems.append(f"{name} is {pin.version} in requirements.lock, but not in requirements-dev.lock: run `make lock`")
    return problems


def all_of(project: Object, extra: str) -> Iterator[str]:
    """The requirements of an extra, and of the project's other extras that it names."""
    for text in project.get("optional-dependencies", {}).get(extra, []):
        requirement = Requirement(text)
        if canonicalize_name(requirement.name) == canonicalize_name(project["name"]):
            for other in requirement.extras:
                yield from all_of(project, other)
        else:
            yield text


def unlocked(requirements: list[str], pins: dict[str, Pin], file: str) -> Iterator[str]:
    for text in requirements:
        requirement = Requirement(text)
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is None:
            yield f"{requirement.name} is not in {file}: run `make lock`"
        elif not requirement.specifier.contains(pin.version, prereleases=True):
            yield f"{requirement.name} is {pin.version} in {file}, but pyproject.toml asks for {requirement.specifier}: run `make lock`"


def examples(repo: Path) -> list[str]:
    schemas = dict(crd_schemas(repo))
    problems = []
    for file in sorted((repo / "examples").rglob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            if document:
                problems += [f"{file.relative_to(repo)}: {problem}" for problem in faults(document, schemas)]
    return problems


def crd_schemas(repo: Path) -> Iterator[tuple[str, Object]]:
    """Kind and schema of each CRD, as strict as `kubectl apply` with its default validation: unknown fields are refused."""
    for file in (repo / "crds").glob("*.yaml"):
        crd = yaml.safe_load(file.read_text())
        for version in crd["spec"]["versions"]:
            yield f"{crd['spec']['group']}/{version['name']} {crd['spec']['names']['kind']}", strict(version["schema"]["openAPIV3Schema"])


def strict(schema: Any) -> Any:
    """A structural schema as JSON Schema."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(value) for key, value in schema.items() if not key.startswith("x-kubernetes-") and key not in ("format", "default")}
    if "properties" in schema:  # its keys are names of fields, whatever they look like
        result["properties"] = {name: strict(field) for name, field in schema["properties"].items()}
        if "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            result["additionalProperties"] = False
    if schema.get("nullable"):
        return {"anyOf": [result, {"type": "null"}]}
    return result


def faults(document: Object, schemas: dict[str, Object]) -> Iterator[str]:
    """What is wrong with one object of an example."""
    kind = f"{document.get('apiVersion')} {document.get('kind')}"
    name = document.get("metadata", {}).get("name")
    if not name or not document.get("kind"):
        yield f"{kind} has no metadata.name or no kind"
    if kind in schemas:
        without_metadata = {**document, "metadata": {}}
        for error in Draft202012Validator(schemas[kind]).iter_errors(without_metadata):
            yield f"{document['kind']} {name}: {error.json_path.removeprefix('$.')}: {error.message}"
    elif str(document.get("apiVersion")).startswith(GROUP):
        yield f"there is no CRD for {kind}"


if __name__ == "__main__":
    sys.exit(main())
