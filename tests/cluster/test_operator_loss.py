"""The operator dies, or the API server does: afterwards every session ends right, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cluster.bed import MOCK, ROOT, SYSTEM, Bed
from cluster.controllers import REPLICAS, controllers, kill_leader, scale
from cluster.killing_proxy import KillingProxy
from cluster.provision.embedded import Embedded
from cluster.sessions import assert_billed_what_was_served, change, durable, finished, over, script, session, talk
from stint.engine.leadership import NAME


def test_pods_that_finish_while_the_operator_is_down_are_settled_when_it_is_back(bed: Bed, namespace: str) -> None:
    gate = f"down-{namespace}"
    items = [bed.kube.create(session(namespace, f"orphan-{n}", script({"until": {"gate": gate}, "text": f"answer {n}"}))) for n in range(3)]
    bed.mock.wait_at_gate(gate, len(items), 180)
    scale(bed, 0)
    try:
        bed.mock.open_gate(gate)
        for item in items:
            name = item["metadata"]["name"]
            bed.kube.until("Pod", namespace, f"{name}-1", lambda pod: pod["status"]["phase"] == "Succeeded")
            assert not over(bed.kube.get("AgentSession", namespace, name))
    finally:
        scale(bed, REPLICAS)
    for number, item in enumerate(items):
        done = finished(bed, item)
        assert done["status"]["result"]["text"] == f"answer {number}"
        assert done["status"]["attempt"] == 1
        assert_billed_what_was_served(bed, done)


def test_a_pod_deleted_while_the_operator_is_down_is_billed_from_the_journal(bed: Bed, namespace: str) -> None:
    gate = f"gone-{namespace}"
    steps = ({"tool": "Bash", "input": {"command": "true"}}, {"until": {"gate": gate}, "text": "done"})
    item = bed.kube.create(durable(namespace, "gone", script(*steps)))
    bed.mock.wait_at_gate(gate)
    bed.kube.until("AgentSession", namespace, "gone", lambda found: found.get("status", {}).get("phase") == "Running")
    scale(bed, 0)
    try:
        bed.kube.delete("Pod", namespace, "gone-1")
        bed.kube.until("Pod", namespace, "gone-1", lambda _: False, gone=True)
    finally:
        scale(bed, REPLICAS)
    bed.mock.open_gate(gate)
    done = finished(bed, item, 90)
    assert [one["outcome"] for one in done["status"]["history"]] == ["Disrupted", "Succeeded"]
    usage, served = done["status"]["usage"], bed.mock.session(talk(item))
    assert usage["inputTokens"] >= served["usage"]["inputTokens"]
    assert usage["outputTokens"] >= served["usage"]["outputTokens"]


@pytest.mark.embedded("it stops the API server")
def test_an_api_server_that_stands_still_for_a_minute_costs_nothing_but_time(bed: Bed, namespace: str, embedded: Embedded) -> None:
    items = [bed.kube.create(session(namespace, f"still-{n}", script({"text": f"answer {n}"}))) for n in range(5)]
    embedded.machine.signal("kube-apiserver", signal.SIGSTOP)
    wake = threading.Event()
    wake.wait(60)  # the minute itself is what is tested
    embedded.machine.signal("kube-apiserver", signal.SIGCONT)
    bed.kube.until("Deployment", MOCK, "mockapi", lambda one: one["status"].get("availableReplicas") == 1, 120)
    for item in items:
        done = finished(bed, item, 120)
        assert done["status"]["phase"] == "Succeeded"
        assert done["status"]["attempt"] == 1
        assert_billed_what_was_served(bed, done)


def test_killed_controllers_leave_no_session_behind_and_start_none_twice(bed: Bed, namespace: str) -> None:
    items = []
    for number in range(12):
        items.append(bed.kube.create(session(namespace, f"storm-{number}", script({"text": f"answer {number}"}))))
        if number == 5:
            for pod in controllers(bed):
                bed.kube.delete("Pod", SYSTEM, pod["metadata"]["name"], grace=0)
        elif number in (2, 8):
            kill_leader(bed)
    for number, item in enumerate(items):
        done = finished(bed, item, 120)
        assert done["status"]["result"]["text"] == f"answer {number}"
        assert done["status"]["attempt"] == 1
        assert_billed_what_was_served(bed, done)
    pods = bed.kube.list("Pod", namespace)
    assert len(pods) == len(items)


def test_killed_at_every_write_the_session_still_ends_right_and_once(bed: Bed, namespace: str, tmp_path: Path) -> None:
    fault = {"fault": {"status": 529, "headers": {"x-should-retry": "false"}, "times": 1}, "text": "survived"}
    item = bed.kube.create(durable(namespace, "survivor", script(fault), retry={"limit": 1, "backoff": {"initial": "1s"}}, suspend=True))
    scale(bed, 0)
    proxy = KillingProxy(bed.cluster.kubeconfig, tmp_path)
    environment = {
        **os.environ, "KUBECONFIG": str(proxy.kubeconfig), "PYTHONPATH": str(ROOT / "operator"), "STINT_PORT": "0",
        "STINT_AGENT_IMAGE": bed.images["agent"], "STINT_GATEWAY_IMAGE": bed.images["operator"], "STINT_SYSTEM_NAMESPACE": SYSTEM,
    }  # fmt: skip
    change(bed, item, suspend=False)
    log = (tmp_path / "operator.log").open("wb")
    try:
        deadline = time.monotonic() + 240
        while not over(bed.kube.get("AgentSession", namespace, "survivor")) and time.monotonic() < deadline:
            proxy.operator = subprocess.Popen([sys.executable, "-m", "stint", "controller"], env=environment, stdout=log, stderr=log)
            ended = threading.Event()
            threading.Thread(target=lambda process=proxy.operator, done=ended: (process.wait(), done.set()), daemon=True).start()
            while not ended.wait(0.5):
                if over(bed.kube.get("AgentSession", namespace, "survivor")) or time.monotonic() > deadline:
                    proxy.operator.kill()
            bed.kube.delete("Lease", SYSTEM, NAME)  # it was killed, and would be waited for
    finally:
        scale(bed, REPLICAS)
        proxy.close()
        log.close()
    done = finished(bed, item, 30)
    assert proxy.kills >= 12, (tmp_path / "operator.log").read_text()[-3000:]
    assert [(one["attempt"], one["outcome"]) for one in done["status"]["history"]] == [(1, "Failed"), (2, "Succeeded")]
    assert sorted(pod["metadata"]["name"] for pod in bed.kube.list("Pod", namespace)) == ["survivor-1", "survivor-2"]
    assert_billed_what_was_served(bed, done)
