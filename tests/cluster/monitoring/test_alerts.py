"""The alerts as Prometheus itself reads and evaluates them. Needs no cluster."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from cluster.bed import ROOT
from cluster.charts.helm import Helm, named
from cluster.monitoring.prometheus import promtool

ALERTS = ROOT / "charts/stint/files/alerts.yaml"
TRIALS = Path(__file__).with_name("alerts_test.yaml")


def test_prometheus_can_read_the_alerts() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", str(ALERTS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_when_it_should_and_not_before(tmp_path: Path) -> None:
    for file in (ALERTS, TRIALS):
        shutil.copy(file, tmp_path)
    done = promtool("test", "rules", TRIALS.name, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_hands_on_every_rule_as_it_is(tmp_path: Path) -> None:
    rendered = Helm(tmp_path).template("stint", {"monitoring": {"prometheusRule": {"enabled": True}}})
    assert named(rendered, "PrometheusRule", "stint")["spec"] == yaml.safe_load(ALERTS.read_text())
