"""What `make verify` finds."""

import json
from pathlib import Path
from typing import Any

import pytest

from verify import chart_crds, examples, locks

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["prompt"],
            "properties": {
                "prompt": {"type": "string", "maxLength": 8},
                "format": {"type": "string", "enum": ["a"], "nullable": True},
                "size": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {}},
            },
        },
    },
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    crd = {"spec": {"group": "stint.dev", "names": {"kind": "Thing"}, "versions": [{"name": "v1", "schema": {"openAPIV3Schema": SCHEMA}}]}}
    write(tmp_path / "crds/things.yaml", crd)
    write(tmp_path / "charts/stint/files/crds/things.yaml", crd)
    return tmp_path


def write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def thing(spec: Any, **changes: Any) -> dict[str, Any]:
    return {"apiVersion": "stint.dev/v1", "kind": "Thing", "metadata": {"name": "one", "labels": {"a": "b"}}, "spec": spec} | changes


def test_a_good_example_passes(checkout: Path) -> None:
    write(checkout / "examples/good.yaml", thing({"prompt": "hi", "format": None, "size": "1Gi", "free": {"any": [1]}}))
    assert examples(checkout) == []


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        (thing({}), "examples/bad.yaml: Thing one: spec: 'prompt' is a required property"),
        (thing({"prompt": "far too long"}), "examples/bad.yaml: Thing one: spec.prompt: 'far too long' is too long"),
        (
            thing({"prompt": "hi", "promt": "x"}),
            "examples/bad.yaml: Thing one: spec: Additional properties are not allowed ('promt' was unexpected)",
        ),
        (thing({"prompt": "hi"}, kind="Other"), "examples/bad.yaml: there is no CRD for stint.dev/v1 Other"),
        (thing({"prompt": "hi"}, metadata={}), "examples/bad.yaml: stint.dev/v1 Thing has no metadata.name or no kind"),
    ],
)
def test_a_bad_example_is_named_with_its_fault(checkout: Path, manifest: dict[str, Any], problem: str) -> None:
    write(checkout / "examples/bad.yaml", manifest)
    assert examples(checkout) == [problem]


def test_objects_of_kubernetes_itself_need_only_a_name(checkout: Path) -> None:
    write(checkout / "examples/secret.yaml", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "anthropic"}, "stringData": {}})
    assert examples(checkout) == []


def test_a_crd_of_the_chart_that_is_no_copy_is_named(checkout: Path) -> None:
    assert chart_crds(checkout) == []
    write(checkout / "crds/things.yaml", "changed")
    write(checkout / "charts/stint/files/crds/left-over.yaml", "old")
    assert [problem.split()[0] for problem in chart_crds(checkout)] == [
        "charts/stint/files/crds/left-over.yaml",
        "charts/stint/files/crds/things.yaml",
    ]


PROJECT = """\
[project]
name = "stint"
dependencies = ["aiohttp>=3.14"]
[project.optional-dependencies]
extra = ["kubernetes>=34"]
dev = ["stint[extra]", "pytest>=9"]
"""


def pin(name: str, version: str) -> str:
    return f"{name}=={version} \\\n    --hash=sha256:aa\n"


@pytest.mark.parametrize(
    ("product", "developer", "problems"),
    [
        (pin("aiohttp", "3.14.5"), pin("aiohttp", "3.14.5") + pin("kubernetes", "37.0.2") + pin("pytest", "9.2.0"), []),
        (
            pin("aiohttp", "3.13.0"),
            pin("aiohttp", "3.14.5") + pin("kubernetes", "37.0.2") + pin("pytest", "9.2.0"),
            [
                "aiohttp is 3.13.0 in requirements.lock, but pyproject.toml asks for >=3.14: run `make lock`",
                "aiohttp is 3.13.0 in requirements.lock, but not in requirements-dev.lock: run `make lock`",
            ],
        ),
        (
            pin("aiohttp", "3.14.5"),
            pin("aiohttp", "3.14.5") + pin("pytest", "9.2.0"),
            ["kubernetes is not in requirements-dev.lock: run `make lock`"],
        ),
    ],
)
def test_a_lock_file_that_does_not_fit_the_project_is_named(checkout: Path, product: str, developer: str, problems: list[str]) -> None:
    write(checkout / "pyproject.toml", PROJECT)
    write(checkout / "requirements.lock", product)
    write(checkout / "requirements-dev.lock", developer)
    assert locks(checkout) == problems
