"""Two controllers, of which one leads: when it goes another one follows soon, and no session notices."""

from __future__ import annotations

import time

import pytest

from cluster.bed import SYSTEM, Bed
from cluster.controllers import all_ready, controllers, followed, holder, leader
from cluster.kube import Answer, Json, Kube
from cluster.provision.embedded import Embedded
from cluster.sessions import assert_billed_what_was_served, finished, phase, script, session, waiting
from stint.engine.leadership import NAME

SMALL = {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}}
AFTER_SIGTERM, AFTER_SIGKILL = 2.0, 20.0  # seconds


@pytest.fixture
def running_and_waiting(bed: Bed, namespace: str) -> list[Json]:
    """Two sessions that run until the gate of the namespace opens, and two that wait until those have ended."""
    all_ready(bed)
    limits = [{"name": "busy", "resource": "concurrency", "limit": "2"}]
    metadata = {"namespace": namespace, "name": "team"}
    bed.kube.create({"apiVersion": "stint.dev/v1alpha1", "kind": "RateBudget", "metadata": metadata, "spec": {"limits": limits}})
    prompt = script({"until": {"gate": namespace}, "text": "done"})
    first = [bed.kube.create(session(namespace, name, prompt, podTemplate=SMALL)) for name in ("a", "b")]
    bed.mock.wait_at_gate(namespace, 2, 60)
    for item in first:
        phase(bed, item, "Running")
    second = [bed.kube.create(session(namespace, name, script({"text": "done"}), podTemplate=SMALL)) for name in ("c", "d")]
    for item in second:
        waiting(bed, item, "BudgetFull")
    return [*first, *second]


def all_end_once(bed: Bed, namespace: str, items: list[Json]) -> None:
    """The gate opens, and every session ends well in its first pod."""
    bed.mock.open_gate(namespace)
    for item in items:
        done = finished(bed, item, 120)
        assert (done["status"]["phase"], done["status"]["attempt"]) == ("Succeeded", 1)
        assert_billed_what_was_served(bed, done)
    assert sorted(pod["metadata"]["name"] for pod in bed.kube.list("Pod", namespace)) == ["a-1", "b-1", "c-1", "d-1"]


def test_a_leader_that_is_told_to_go_is_followed_within_two_seconds(bed: Bed, namespace: str, running_and_waiting: list[Json]) -> None:
    pod = leader(bed)
    begun = time.monotonic()
    bed.kube.delete("Pod", SYSTEM, pod["metadata"]["name"])
    followed(bed, pod, 30)
    assert time.monotonic() - begun < AFTER_SIGTERM
    all_end_once(bed, namespace, running_and_waiting)


@pytest.mark.embedded("it kills a process in a container")
def test_a_leader_that_was_killed_is_followed_within_twenty_seconds(
    bed: Bed, namespace: str, running_and_waiting: list[Json], embedded: Embedded
) -> None:
    pod = leader(bed)
    begun = time.monotonic()
    embedded.machine.kill_container(pod["spec"]["nodeName"], pod["status"]["containerStatuses"][0]["containerID"])
    lease = followed(bed, pod, 60)
    assert time.monotonic() - begun < AFTER_SIGKILL
    assert lease["spec"]["leaseTransitions"] >= 1
    all_end_once(bed, namespace, running_and_waiting)
    # the one that was killed has started anew, and stands by
    all_ready(bed)
    assert holder(bed.kube.get("Lease", SYSTEM, NAME)).partition("_")[0] != pod["metadata"]["name"]


def test_both_are_ready_and_an_event_says_who_leads(bed: Bed) -> None:
    all_ready(bed)
    assert len(controllers(bed)) == 2
    who = holder(bed.kube.get("Lease", SYSTEM, NAME))
    events = [event for event in bed.kube.list("Event", SYSTEM) if event["involvedObject"] == {**event["involvedObject"], "kind": "Lease", "name": NAME}]
    assert f"{who} became leader" in {event["message"] for event in events if event["reason"] == "LeaderElection"}


def test_the_controller_may_write_no_other_lease(bed: Bed) -> None:
    kube = Kube(bed.cluster.kubeconfig, f"system:serviceaccount:{SYSTEM}:stint-controller")
    other = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"namespace": SYSTEM, "name": "another"}, "spec": {}}
    bed.kube.create(other)
    try:
        for verb, path in (("GET", ""), ("PUT", "another"), ("GET", "another"), ("DELETE", NAME)):
            with pytest.raises(Answer) as refused:
                kube.send(verb, kube.path("Lease", SYSTEM, path), other if verb == "PUT" else None)
            assert refused.value.status == 403
    finally:
        bed.kube.delete("Lease", SYSTEM, "another")
        kube.close()
