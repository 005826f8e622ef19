"""What the docs say is there: every reason has its row, every link leads somewhere, every example and manifest can be read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stint.api.crd import KINDS
from stint.sessions.failures import POLICIES

REPO = Path(__file__).parents[3]
DOCS = REPO / "docs"
TROUBLESHOOTING = (DOCS / "troubleshooting.md").read_text()
CONTRACT = (DOCS / "reference/pod-contract.md").read_text()
PAGES = sorted([*REPO.glob("*.md"), *DOCS.rglob("*.md"), REPO / "examples/README.md"])
EXAMPLES = sorted((REPO / "examples").glob("*.yaml"))
MODULES = ("sessions/reasons.py", "budgets/reasons.py", "providers/plan.py", "providers/reasons.py", "profiles/plan.py", "engine/plan.py")
RETRIED = {name for name, row in POLICIES.items() if row.retried}
KUBERNETES_OWN = "Reasons of Kubernetes"

Json = dict[str, Any]


def constants(path: Path) -> set[str]:
    """Values of the module's own string constants, without those that name a kind."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            (target,) = node.targets
            if isinstance(target, ast.Name) and target.id.isupper() and target.id != "KIND":
                found.add(node.value.value)
    return found


def reasons() -> set[str]:
    return set().union(*(constants(REPO / "operator/stint" / module) for module in MODULES))


def error_classes() -> set[str]:
    """The first column of the contract's table of classes."""
    table = re.search(r"^\| class \| when \|\n\|[-|]+\n((?:\|.*\n)+)", CONTRACT, re.MULTILINE)
    assert table
    return set().union(*(words_of_first_cell(row) for row in table[1].splitlines()))


def words_of_first_cell(row: str) -> set[str]:
    return set(re.findall(r"`([A-Z][A-Za-z]+)`", row.split("|")[1]))


def sections(page: str) -> dict[str, str]:
    """Text under each heading of the second level."""
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented() -> set[str]:
    """Reasons of ours that have a row in a table."""
    found: set[str] = set()
    for title, text in sections(TROUBLESHOOTING).items():
        if title != KUBERNETES_OWN:
            found.update(*(words_of_first_cell(line) for line in text.splitlines() if line.startswith("| `")))
    return found


def test_every_reason_has_a_row_in_troubleshooting() -> None:
    assert reasons() - documented() == set()


def test_every_error_class_has_a_row_in_troubleshooting() -> None:
    assert error_classes() - documented() == set()


def test_troubleshooting_explains_no_reason_that_does_not_exist() -> None:
    assert documented() - reasons() - error_classes() == set()


def test_troubleshooting_says_of_each_failure_whether_it_is_tried_again() -> None:
    section = sections(TROUBLESHOOTING)["How it ended"]
    rows = [row.split("|") for row in section.splitlines() if row.startswith("| `")]
    yes = set().union(*(words_of_first_cell("|".join(row)) for row in rows if row[3].strip().startswith("yes")))
    assert yes == RETRIED


def test_the_page_of_retries_has_a_row_for_every_class() -> None:
    rows = [line for line in (DOCS / "reference/retries.md").read_text().splitlines() if line.startswith("| `")]
    assert {word for row in rows for word in words_of_first_cell(row)} == error_classes() | {"StartTimeout"}
    assert {word for row in rows if row.split("|")[2].strip() == "yes" for word in words_of_first_cell(row)} == RETRIED


def test_every_example_is_in_the_list_of_those_that_succeed_or_not() -> None:
    assert set(re.findall(r"`([a-z-]+)`", (REPO / "examples/README.md").read_text())) >= {example.stem for example in EXAMPLES}


def test_the_contract_lists_the_classes_that_the_runner_knows() -> None:
    assert error_classes() == constants(REPO / "images/agent/stint_runner/errors.py")


def prose(page: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", page, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What links may name after the hash: headings as forges write them."""
    headings = re.findall(r"^#+ (.+)$", prose(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def relative_links() -> Iterator[Any]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text())):
            if not re.match(r"[a-z]+:", target):
                yield pytest.param(page, target, id=f"{page.relative_to(REPO)} to {target}")


@pytest.mark.parametrize(("page", "target"), list(relative_links()))
def test_a_link_leads_to_a_file_and_its_heading(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    place = (page.parent / path).resolve() if path else page
    assert place.is_relative_to(REPO)
    assert place.exists()
    assert not anchor or anchor in anchors(place)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_make_has_every_target_that_a_page_names(page: Path) -> None:
    named = re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    there = re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(), re.MULTILINE)
    assert set(named) - set(there) == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page != DOCS / "README.md"], ids=lambda page: str(page.relative_to(REPO)))
def test_a_page_can_be_found_from_the_readme_or_the_index(page: Path) -> None:
    links = {index: re.findall(r"\]\(([^)#\s]+)", index.read_text()) for index in (REPO / "README.md", DOCS / "README.md")}
    listed = {(index.parent / link).resolve() for index, found in links.items() for link in found}
    assert page.name == "README.md" or page in listed or page.parent in listed


def manifests() -> Iterator[Any]:
    """Objects of Stint's kinds in examples, and in YAML blocks of the pages."""
    texts = [(file, text) for file in EXAMPLES for text in [file.read_text()]]
    texts += [(page, block) for page in PAGES for block in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)]
    for file, text in texts:
        for document in yaml.safe_load_all(text):
            if isinstance(document, dict) and str(document.get("apiVersion")).startswith("stint.dev/"):
                yield pytest.param(document, id=f"{file.relative_to(REPO)}: {document['kind']} {document['metadata']['name']}")


@pytest.mark.parametrize("manifest", list(manifests()))
def test_a_manifest_says_nothing_that_the_models_do_not_know(manifest: Json) -> None:
    model = {kind.name: kind.model for kind in KINDS}[manifest["kind"]]

    read = model.read(manifest).model_dump(mode="json", by_alias=True, exclude_unset=True)

    assert lost(manifest["spec"], read["spec"], "spec") == []


def lost(given: Any, read: Any, path: str) -> list[str]:
    """Fields that reading dropped, because the model does not have them."""
    if isinstance(given, dict):
        missing = [f"{path}.{key}" for key in given if key not in read]
        return missing + [place for key in given if key in read for place in lost(given[key], read[key], f"{path}.{key}")]
    if isinstance(given, list):
        return [place for number, pair in enumerate(zip(given, read, strict=True)) for place in lost(*pair, f"{path}[{number}]")]
    return []


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_for_the_whole_cluster_counts_only_namespaces_that_were_labelled_for_it(file: Path) -> None:
    for document in yaml.safe_load_all(file.read_text()):
        if document["kind"] == "RateBudget" and "namespace" in document["metadata"]:
            assert document["metadata"]["namespace"] == "stint-system"
            assert document["spec"]["selector"]["namespaces"], "applied by a test, it would hold up all the others"


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_begins_by_saying_what_it_shows(file: Path) -> None:
    documents = [document for document in yaml.safe_load_all(file.read_text()) if document]
    assert file.read_text().startswith("# ")
    assert all(document["kind"] and document["metadata"]["name"] for document in documents)
