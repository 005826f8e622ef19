"""Who is told where the metrics are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cluster.charts.helm import CHARTS, Helm, Manifest, named, of_kind
from cluster.charts.values import EXTREME

SCRAPED = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "/metrics"}
OPERATOR_KINDS = ("PodMonitor", "ServiceMonitor", "PrometheusRule")


def scraped_by(manifests: list[Manifest]) -> dict[str, str]:
    found: dict[str, str] = named(manifests, "Deployment", "stint-controller")["spec"]["template"]["metadata"].get("annotations", {})
    return found


def test_nothing_is_shipped_that_needs_an_operator_unless_it_is_asked_for(default: list[Manifest]) -> None:
    assert [manifest for kind in OPERATOR_KINDS for manifest in of_kind(default, kind)] == []
    assert [manifest for manifest in of_kind(default, "ConfigMap") if "dashboard" in manifest["metadata"]["name"]] == []


def test_a_prometheus_that_goes_by_annotations_finds_the_pod(default: list[Manifest]) -> None:
    assert scraped_by(default) == SCRAPED


@pytest.mark.parametrize("monitoring", [{"scrapeAnnotations": False}, {"podMonitor": {"enabled": True}}], ids=["not wanted", "found otherwise"])
def test_no_pod_is_scraped_twice(helm: Helm, monitoring: dict[str, Any]) -> None:
    assert scraped_by(helm.template("stint", {"monitoring": monitoring})) == {}


def test_everything_at_its_most(extreme: list[Manifest]) -> None:
    assert scraped_by(extreme) == EXTREME["controller"]["podAnnotations"]
    monitor = named(extreme, "PodMonitor", "stint")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint == {"port": "http", "path": "/metrics", "interval": "15s"}
    pod = named(extreme, "Deployment", "stint-controller")["spec"]["template"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert endpoint["port"] in [port["name"] for container in pod["spec"]["containers"] for port in container["ports"]]
    assert named(extreme, "PrometheusRule", "stint")["metadata"]["labels"]["release"] == "prometheus"


def test_the_dashboard_is_in_a_config_map_that_grafana_finds(extreme: list[Manifest]) -> None:
    dashboard = named(extreme, "ConfigMap", "stint-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboard["metadata"]["annotations"] == {"grafana_folder": "Stint"}
    assert json.loads(dashboard["data"]["stint.json"]) == json.loads((CHARTS / "stint/files/dashboard.json").read_text())
