"""Alerts and dashboard use only what is there, and every alert is tried out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stint.telemetry.metrics import admission, controller

CHART = Path(__file__).parents[3] / "charts" / "stint"
ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
DASHBOARD = json.loads((CHART / "files/dashboard.json").read_text())
TRIALS = yaml.safe_load((Path(__file__).parents[2] / "cluster/monitoring/alerts_test.yaml").read_text())
DOCS = (CHART.parents[1] / "docs/observability.md").read_text()
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
BY_PROMETHEUS = {"instance", "le"}


def names() -> dict[str, set[str]]:
    """Every name that a scrape may show, and its labels."""
    found: dict[str, set[str]] = {}
    for metric in (*controller.all, *admission.all):
        suffixes = ("_bucket", "_sum", "_count") if metric.type == "histogram" else ("",)
        found |= {metric.name + suffix: set(metric.labels) for suffix in suffixes}
    shown = {sample.name for metric in controller.registry.collect() for sample in metric.samples if metric.name.startswith("process_")}
    return found | {name: set() for name in shown}


KNOWN = names()


def expressions() -> Iterator[Any]:
    for rule in RULES:
        yield pytest.param(rule["expr"], id=rule["alert"])
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")


@pytest.mark.parametrize("expression", list(expressions()))
def test_every_metric_and_label_of_an_expression_exists(expression: str) -> None:
    used = set(re.findall(r"\b(?:stint|process)_[a-z_]+", expression))
    assert used
    assert used <= set(KNOWN)
    selected = set(re.findall(r"[{,]\s*([a-z]+)\s*[=!]", expression))
    grouped = {label.strip() for inner in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression) for label in inner.split(",")}
    assert selected | grouped <= set().union(*(KNOWN[name] for name in used)) | BY_PROMETHEUS


def test_every_metric_of_the_controller_that_shows_its_state_is_on_the_dashboard() -> None:
    shown = " ".join(str(target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", []))
    assert {metric.name for metric in controller.all if metric.name not in shown} == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description"}
    assert re.search(rf"^\| `{rule['alert']}` \|", DOCS, re.MULTILINE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_seen_to_fire_and_to_be_silent(rule: dict[str, Any]) -> None:
    trials = [bool(one.get("exp_alerts")) for test in TRIALS["tests"] for one in test["alert_rule_test"] if one["alertname"] == rule["alert"]]
    assert {True, False} <= set(trials)


def test_panels_do_not_overlap_and_have_names_of_their_own() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [(x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
    assert len(cells) == len(set(cells))
    assert all(0 <= x < 24 for x, _ in cells)
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(identities) == len(set(identities))
