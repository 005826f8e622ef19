"""A real Prometheus finds the controller by the annotations of its pod and scrapes it, while a session runs."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.bed import ROOT, SYSTEM, Bed
from cluster.monitoring.prometheus import program
from cluster.provision.embedded import Embedded
from cluster.sessions import finished, session
from stint.telemetry.metrics import controller

pytestmark = pytest.mark.embedded("it runs Prometheus inside the cluster's network")
ADDRESS = "127.0.0.1:9090"
REACHED = 60.0  # seconds
NOT_ALWAYS = {"stint_reconcile_retries_total", "stint_session_waiting_oldest_seconds", "stint_agent_pods"}
"""There only while something waits, runs or is tried again."""


class Prometheus:
    """One that runs inside the cluster's network."""

    def __init__(self, embedded: Embedded) -> None:
        self._machine = embedded.machine

    def query(self, expression: str) -> list[dict[str, Any]]:
        command = [program("promtool"), "query", "instant", "--format=json", f"http://{ADDRESS}", expression]
        done = self._machine.exec(command, capture_output=True, text=True, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 and done.stdout else []
        return found

    def until(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives, once it gives something."""
        deadline = time.monotonic() + REACHED
        while time.monotonic() < deadline:
            found = self.query(expression)
            if found:
                return found
            time.sleep(0.5)  # Prometheus scrapes when it is time, and tells nobody
        raise AssertionError(f"no {expression} within {REACHED:.0f} s; targets: {self.query('up')}")


def by_annotations(kubeconfig: Path) -> dict[str, Any]:
    """The usual configuration of a Prometheus that goes by prometheus.io/…."""
    annotation = "__meta_kubernetes_pod_annotation_prometheus_io_"
    return {
        "job_name": "pods",
        "kubernetes_sd_configs": [{"role": "pod", "kubeconfig_file": str(kubeconfig), "namespaces": {"names": [SYSTEM]}}],
        "relabel_configs": [
            {"source_labels": [f"{annotation}scrape"], "regex": "true", "action": "keep"},
            {"source_labels": [f"{annotation}path"], "regex": "(.+)", "target_label": "__metrics_path__"},
            {
                "source_labels": ["__meta_kubernetes_pod_ip", f"{annotation}port"],
                "regex": "(.+);(.+)",
                "replacement": "$1:$2",
                "target_label": "__address__",
            },
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        ],
    }


@pytest.fixture
def prometheus(bed: Bed, embedded: Embedded, tmp_path: Path) -> Iterator[Prometheus]:
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ROOT / "charts/stint/files/alerts.yaml")],
        "scrape_configs": [by_annotations(embedded.machine.inner_kubeconfig)],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    with (tmp_path / "log").open("w") as log:
        command = [
            program("prometheus"),
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address={ADDRESS}",
        ]
        process = embedded.machine.popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield Prometheus(embedded)
        finally:
            process.terminate()
            process.wait(30)


def test_prometheus_scrapes_the_controller_and_sees_a_session_end(bed: Bed, namespace: str, prometheus: Prometheus) -> None:
    [target] = prometheus.until("stint_leader == 1")
    assert target["metric"]["pod"].startswith("stint-controller-")
    before = sum(float(each["value"][1]) for each in prometheus.query('stint_sessions_finished_total{outcome="Succeeded"}'))

    finished(bed, bed.kube.create(session(namespace, "scraped")))

    prometheus.until(f'sum(stint_sessions_finished_total{{outcome="Succeeded"}}) > {before}')
    assert float(prometheus.until("sum(stint_cost_usd_total)")[0]["value"][1]) > 0
    assert prometheus.until('stint_sessions{phase="Succeeded"} > 0')
    assert [each["metric"] for each in prometheus.query('ALERTS{alertstate="firing"}')] == []
    seen = {each["metric"]["__name__"] for each in prometheus.query('{__name__=~"stint_.+"}')}
    expected = {metric.name + ("_count" if metric.type == "histogram" else "") for metric in controller.all}
    assert {name for name in expected - seen if not name.startswith(("stint_budget_", "stint_circuit_", "stint_provider_"))} <= NOT_ALWAYS
