"""values.yaml and values.schema.json of both charts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stint.settings import Settings

BOTH = pytest.mark.parametrize("chart", ["stint", "stint-library"])

# Objects whose keys are Kubernetes' own or the user's.
OPEN = {
    *("affinity", "tolerations", "topologySpreadConstraints", "valueFrom"),
    *("namespaceSelector", "podSelector", "ipBlock", "ports"),
    *("global", "network", "spec"),
}


def schema(charts: Path, chart: str) -> Any:
    return json.loads((charts / chart / "values.schema.json").read_text())


def values(charts: Path, chart: str) -> Any:
    return yaml.safe_load((charts / chart / "values.yaml").read_text())


def with_value(tree: Any, path: str, value: Any) -> Any:
    """A copy with one value replaced; `/` separates keys."""
    key, _, rest = path.partition("/")
    inner = with_value(tree.get(key, {}), rest, value) if rest else value
    return {**tree, key: inner}


def objects(name: str, node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of an object, with the name of the property that it belongs to."""
    if not isinstance(node, dict):
        return
    if node.get("type") == "object" or node.get("type") == ["object", "null"]:
        yield name, node
    for key in ("properties", "definitions"):
        for inner, sub in node.get(key, {}).items():
            yield from objects(inner, sub)
    for key in ("items", "additionalProperties"):
        yield from objects(name, node.get(key))


@BOTH
def test_the_schema_is_a_schema_and_the_values_match_it(charts: Path, chart: str) -> None:
    document = schema(charts, chart)
    jsonschema.Draft7Validator.check_schema(document)
    jsonschema.Draft7Validator(document).validate(values(charts, chart))


@BOTH
def test_a_misspelled_key_is_refused_wherever_the_keys_are_ours(charts: Path, chart: str) -> None:
    for name, node in objects("", schema(charts, chart)):
        assert "additionalProperties" in node or name in OPEN, f"{name or 'the top'} takes any key"


@BOTH
def test_every_value_is_known_to_the_schema(charts: Path, chart: str) -> None:
    known = {name for name, _ in properties(schema(charts, chart))}
    top = values(charts, chart)
    assert set(top) <= known
    assert {inner for section in top.values() for inner in section} <= known


@BOTH
def test_every_section_says_what_it_is_for(charts: Path, chart: str) -> None:
    for name, node in schema(charts, chart)["properties"].items():
        assert node["description"].endswith("."), name


def properties(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from node.get("properties", {}).items()
        for inner in node.values():
            yield from properties(inner)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("image", {}, "'image' was unexpected"),
        ("controller/replica", 1, "'replica' was unexpected"),
        ("controller/replicas", 6, "maximum"),
        ("controller/workers", "many", "'integer'"),
        ("controller/logLevel", "verbose", "is not one of"),
        ("controller/podLabels", {"tier": 1}, "'string'"),
        ("controller/extraEnv", [{"value": "x"}], "'name' is a required property"),
        ("images/operator", {"repository": ""}, "non-empty"),
        ("images/operator", {"repository": "ghcr.io/Me/x"}, "does not match"),
        ("images/operator", {"repository": "a:b@c"}, "does not match"),
        ("images/operator", {"repository": "a", "tag": 1.1}, "'string'"),
        ("images/operator", {"repository": "a", "digest": "md5:1"}, "does not match"),
        ("images/pullPolicy", "always", "is not one of"),
        ("images/pullSecrets", ["registry"], "'object'"),
        ("sessions/defaultLimits/cost", 5, "'string'"),
        ("sessions/defaultLimits/cost", "0.00", "does not match"),
        ("sessions/defaultLimits/cost", "5 USD", "does not match"),
        ("sessions/defaultLimits/cost", "-1", "does not match"),
        ("sessions/resources/agent", {"limits": {"memory": "1 GB"}}, "does not match"),
        ("sessions/resources/agent", {"limit": {"memory": "1Gi"}}, "'limit' was unexpected"),
        ("sessions/unreachableTolerationSeconds", -1, "minimum"),
        ("networkPolicy/sessions/blockedCIDRs", ["10.0.0.0"], "does not match"),
        ("networkPolicy/sessions/blockedCIDRs", ["fc00::/7"], "does not match"),
        ("networkPolicy/controller/egress/apiServer/ports", [0], "minimum"),
        ("networkPolicy/controller/egress/apiServer/ports", [], "non-empty"),
        ("networkPolicy/dnsPorts", ["domain"], "'integer'"),
        ("networkPolicy/controller/egress/dnsPeers", [{"podSelectors": {}}], "'podSelectors' was unexpected"),
        ("podDisruptionBudget/maxUnavailable", "half", "does not match"),
        ("crds/keep", "yes", "'boolean'"),
        ("admission/replicas", 0, "minimum"),
        ("admission/certManager/issuerRef", {"names": "x"}, "'names' was unexpected"),
        ("monitoring/podMonitor", {"interval": "often"}, "does not match"),
        ("monitoring/serviceMonitor", {}, "'serviceMonitor' was unexpected"),
    ],
)
def test_a_bad_value_is_refused(charts: Path, path: str, value: Any, says: str) -> None:
    bad = with_value(values(charts, "stint"), path, value)
    with pytest.raises(jsonschema.ValidationError, match=says):
        jsonschema.Draft7Validator(schema(charts, "stint")).validate(bad)


@pytest.mark.parametrize("cost", ["5", "5.00", "0.01", "10", "100.5", "999999999"])
def test_any_amount_above_zero_is_a_cost_limit(charts: Path, cost: str) -> None:
    jsonschema.Draft7Validator(schema(charts, "stint")).validate(with_value(values(charts, "stint"), "sessions/defaultLimits/cost", cost))


def test_the_controller_is_given_only_settings_that_it_knows(charts: Path) -> None:
    templates = "".join(path.read_text() for path in sorted((charts / "stint" / "templates").iterdir()))
    given = {name.removeprefix("STINT_").lower() for name in re.findall(r"name: (STINT_\w+)", templates)}
    assert given
    assert given <= set(Settings.model_fields)


def test_the_operator_and_the_chart_agree_on_defaults(charts: Path) -> None:
    chart = values(charts, "stint")
    operator = {name: field.default for name, field in Settings.model_fields.items()}

    assert operator["workers"] == chart["controller"]["workers"]
    assert operator["default_cost_limit"] == chart["sessions"]["defaultLimits"]["cost"]
    assert operator["unreachable_toleration_seconds"] == chart["sessions"]["unreachableTolerationSeconds"]
    assert operator["agent_resources"] == chart["sessions"]["resources"]["agent"]
    assert operator["gateway_resources"] == chart["sessions"]["resources"]["gateway"]
    assert operator["network_policy"].dns_ports == chart["networkPolicy"]["dnsPorts"]
    assert set(operator["network_policy"].blocked_cidrs) <= set(chart["networkPolicy"]["sessions"]["blockedCIDRs"])
