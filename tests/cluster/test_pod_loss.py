"""The pod goes away while a tool runs: the conversation goes on where it was, and every token is counted once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from cluster.bed import Bed
from cluster.kube import Json
from cluster.provision.embedded import Embedded
from cluster.sessions import SLEEP, assert_billed_what_was_served, durable, finished, ready, script, session, talk, waiting

VERIFY_FIRST = "repeat it only if it did not happen"


def in_a_tool(bed: Bed, namespace: str, name: str) -> Json:
    """A session whose first answer starts a tool that never ends; after that it answers at once."""
    prompt = script(
        {"tool": "Bash", "input": {"command": f"echo started > started; {SLEEP}", "timeout": 600000}},
        {"text": "went on"},
    )
    item = bed.kube.create(durable(namespace, name, prompt))
    bed.mock.requests(talk(item), at_least=1)
    bed.kube.until("Pod", namespace, f"{name}-1", ready)
    return item


def assert_resumed(bed: Bed, item: Json, outcome: str = "Disrupted", seconds: float = 90) -> Json:
    done = finished(bed, item, seconds)
    assert done["status"]["phase"] == "Succeeded", done["status"]
    assert [one["outcome"] for one in done["status"]["history"]] == [outcome, "Succeeded"]
    resumed = bed.mock.requests(talk(item))[-1]
    assert VERIFY_FIRST in resumed["prompt"].lower()
    return done


def test_a_deleted_pod_is_replaced_and_the_conversation_resumes(bed: Bed, namespace: str) -> None:
    item = in_a_tool(bed, namespace, "deleted")
    bed.kube.delete("Pod", namespace, "deleted-1")
    done = assert_resumed(bed, item)
    assert done["status"].get("failures", 0) == 0
    assert_billed_what_was_served(bed, done)


def test_an_evicted_pod_is_replaced(bed: Bed, namespace: str) -> None:
    item = in_a_tool(bed, namespace, "evicted")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "evicted-1", "namespace": namespace}}
    bed.kube.send("POST", bed.kube.path("Pod", namespace, "evicted-1", "eviction"), eviction)
    assert_billed_what_was_served(bed, assert_resumed(bed, item))


def test_an_agent_that_runs_out_of_memory_is_tried_again(bed: Bed, namespace: str) -> None:
    glutton = 'python3 -c "x=[bytearray(50_000_000) for _ in range(100)]"; kill -9 1; kill -9 $PPID'
    prompt = script({"tool": "Bash", "input": {"command": glutton}}, {"text": "went on"}, {"text": "went on"})
    template = {"resources": {"requests": {"memory": "256Mi"}, "limits": {"memory": "512Mi"}}}
    retry = {"limit": 2, "backoff": {"initial": "1s"}}
    item = bed.kube.create(durable(namespace, "glutton", prompt, podTemplate=template, retry=retry))
    done = finished(bed, item, 120)
    assert done["status"]["phase"] == "Succeeded", done["status"]
    assert_billed_what_was_served(bed, done)


def test_a_force_deleted_pod_with_a_volume_is_billed_from_the_journal(bed: Bed, namespace: str) -> None:
    item = in_a_tool(bed, namespace, "forced")
    bed.kube.delete("Pod", namespace, "forced-1", grace=0)
    done = assert_resumed(bed, item)
    assert_billed_what_was_served(bed, done)


def test_a_force_deleted_ephemeral_pod_counts_as_its_whole_limit(bed: Bed, namespace: str) -> None:
    gate = f"forced-{namespace}"
    item = bed.kube.create(session(namespace, "unknown", script({"until": {"gate": gate}, "text": "y"}), limits={"cost": "1.50"}))
    bed.kube.until("AgentSession", namespace, "unknown", lambda found: found.get("status", {}).get("phase") == "Running")
    bed.kube.delete("Pod", namespace, "unknown-1", grace=0)
    held = waiting(bed, item, "BudgetReached")
    assert held["status"]["usage"]["estimated"] is True
    assert held["status"]["usage"]["cost"] == "1.5"


@pytest.fixture
def spare_node(bed: Bed, embedded: Embedded) -> Iterator[str]:
    """A node for this test alone; switched on again afterwards."""
    name = embedded.spare_node
    yield name
    embedded.machine.start_node(name)
    bed.kube.patch("Node", "", name, {"spec": {"taints": None}})
    bed.kube.until("Node", "", name, ready, 60)


@pytest.mark.embedded("it cuts the power of a node, and needs volumes that every node can see")
def test_a_lost_node_is_named_and_its_session_goes_on_elsewhere(bed: Bed, namespace: str, embedded: Embedded, spare_node: str) -> None:
    name = f"lost-{uuid.uuid4().hex[:6]}"
    prompt = script({"tool": "Bash", "input": {"command": SLEEP, "timeout": 600000}}, {"text": "went on"})
    preferred = {"weight": 100, "preference": {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [spare_node]}]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preferred]}}
    item = bed.kube.create(durable(namespace, name, prompt, podTemplate={"affinity": affinity}))
    bed.mock.requests(talk(item), at_least=1)
    pod = bed.kube.until("Pod", namespace, f"{name}-1", ready)
    assert pod["spec"]["nodeName"] == spare_node
    embedded.machine.kill_node(spare_node)
    waiting(bed, item, "NodeLost", 180)
    assert [one["metadata"]["name"] for one in bed.kube.list("Pod", namespace)] == [f"{name}-1"]
    taint = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
    bed.kube.patch("Node", "", spare_node, {"spec": {"taints": [taint]}})
    done = assert_resumed(bed, item, seconds=120)
    assert_billed_what_was_served(bed, done)
