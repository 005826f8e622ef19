"""The charts as plain files: nothing here needs helm. What helm makes of them is tested in tests/cluster/charts."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHARTS = Path(__file__).parents[3] / "charts"

Document = dict[str, Any]


@pytest.fixture(scope="session")
def charts() -> Path:
    return CHARTS


def static_documents(template: Path) -> list[Document]:
    """The documents of a template whose rules hold no template expressions: lines of control are dropped, values become `x`."""
    lines = [line for line in template.read_text().splitlines() if not re.match(r"\s*\{\{", line)]
    text = re.sub(r"\{\{.*?\}\}", "x", "\n".join(lines))
    return [document for document in yaml.safe_load_all(text) if document]


@pytest.fixture(scope="session")
def cluster_roles() -> dict[str, list[Document]]:
    """Rules of every cluster role of the chart, by name."""
    templates = sorted((CHARTS / "stint" / "templates").glob("*.yaml"))
    rbac = [template for template in templates if "kind: ClusterRole\n" in template.read_text()]
    documents = [document for template in rbac for document in static_documents(template)]
    return {role["metadata"]["name"]: role["rules"] for role in documents if role["kind"] == "ClusterRole"}
