"""The chart's CRDs are the repository's CRDs."""

from pathlib import Path
from typing import Any

import yaml


def test_the_copy_in_the_chart_is_the_same_byte_for_byte(charts: Path) -> None:
    """`make generate` writes both; Helm packages nothing from outside the chart."""
    generated = {path.name: path.read_bytes() for path in (charts.parent / "crds").glob("*.yaml")}
    copied = {path.name: path.read_bytes() for path in (charts / "stint" / "files" / "crds").glob("*.yaml")}
    assert generated
    assert copied == generated


def test_each_file_holds_one_crd_of_our_group(charts: Path) -> None:
    for path in (charts / "stint" / "files" / "crds").glob("*.yaml"):
        (crd,) = yaml.safe_load_all(path.read_text())
        assert crd["kind"] == "CustomResourceDefinition"
        assert crd["spec"]["group"] == "stint.dev"


def test_every_kind_is_in_the_roles_of_the_controller_and_of_viewers(charts: Path, cluster_roles: dict[str, list[dict[str, Any]]]) -> None:
    crds = [yaml.safe_load(path.read_text()) for path in (charts / "stint" / "files" / "crds").glob("*.yaml")]
    plurals = {crd["spec"]["names"]["plural"] for crd in crds}
    for role in ("stint-controller", "stint-view"):
        named = {resource for rule in cluster_roles[role] for resource in rule["resources"] if rule["apiGroups"] == ["stint.dev"]}
        assert plurals == {resource for resource in named if "/" not in resource}, role
