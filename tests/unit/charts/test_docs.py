"""What the docs say about values is true."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

SECTIONS = {
    "stint": ("images", "crds", "sessions", "controller", "admission", "rbac", "service", "uninstall", "networkPolicy", "podDisruptionBudget", "monitoring"),
    "stint-library": ("provider", "profiles"),
}
PAGES = ("charts/stint/README.md", "charts/stint-library/README.md", "docs/install.md", "docs/observability.md")


def named_values(text: str, sections: tuple[str, ...]) -> set[str]:
    words = re.findall(r"`([a-zA-Z]+(?:\.[a-zA-Z0-9-]+)+)`", text) + re.findall(r"--set ([\w.-]+)=", text)
    return {word for word in words if word.split(".")[0] in sections}


def exists(values: Any, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("chart", sorted(SECTIONS))
def test_every_value_that_the_docs_name_exists(charts: Path, page: str, chart: str) -> None:
    values = yaml.safe_load((charts / chart / "values.yaml").read_text())
    text = (charts.parent / page).read_text()
    assert [path for path in sorted(named_values(text, SECTIONS[chart])) if not exists(values, path)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(charts: Path, page: str) -> None:
    here = charts.parent / page
    links = re.findall(r"\]\(([^)#:]+)\)", here.read_text())
    assert [link for link in links if not (here.parent / link).exists()] == []


def test_removing_everything_removes_every_crd(charts: Path) -> None:
    """The command that removes the CRDs names each of them."""
    text = (charts.parent / "docs" / "install.md").read_text()
    crds = {path.stem for path in (charts / "stint" / "files" / "crds").glob("*.yaml")}
    assert set(re.findall(r"\w+\.stint\.dev", text)) == crds
