"""What plans know of a pod."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json
from stint.sessions.pod_facts import ContainerFacts, PodFacts, read_pod, vanished
from unit.sessions.builders import NAME, NAMESPACE, NOW, UID, ago, ahead, ended_pod, facts, pod, running_pod


def test_a_pod_is_read() -> None:
    item = running_pod(since=30, annotations={"stint.dev/reserved": "{}"}, deleting=ahead(5))
    assert read_pod(item) == PodFacts(
        namespace=NAMESPACE, name=f"{NAME}-1", uid="pod-1", version=200, owner_uid=UID, session=NAME, attempt=1, created=ago(35), phase="Running",
        deleting_since=ahead(5), node="node-1", reserved="{}",
        containers=(ContainerFacts("gateway", running_since=ago(30)), ContainerFacts("agent", running_since=ago(30))),
    )  # fmt: skip


def test_the_barest_pod_is_read() -> None:
    found = read_pod({"metadata": {"namespace": "n", "name": "p", "uid": "u"}})
    assert found == PodFacts("n", "p", "u", version=0, owner_uid="", session="", attempt=0, created=None)


def test_an_owner_that_is_no_controller_is_none() -> None:
    item = pod()
    item["metadata"]["ownerReferences"][0]["controller"] = False
    assert read_pod(item).owner_uid == ""


@pytest.mark.parametrize(("label", "number"), [("7", 7), ("", 0), ("x", 0), ("-1", 0)])
def test_an_attempt_is_a_number(label: str, number: int) -> None:
    assert read_pod(pod(labels={"stint.dev/attempt": label})).attempt == number


def test_the_last_words_of_a_container_are_read() -> None:
    agent = facts(ended_pod("said", "counted", ran=120)).container("agent")
    assert agent == ContainerFacts("agent", exit_code=1, reason="Error", message="said", started=ago(130), finished=ago(10))


def test_the_last_words_of_an_earlier_instance_count_until_a_new_one_runs() -> None:
    last = pod_status.terminated(1, "old")
    waits = pod_status.container("gateway", pod_status.waiting("CrashLoopBackOff"), last=last)
    runs = pod_status.container("gateway", pod_status.running(NOW), last=last)
    ended = pod_status.container("gateway", pod_status.terminated(0, "new"), last=last)
    found = [facts(pod(pod_status.status("Running", init={"gateway": one}))).container("gateway") for one in (waits, runs, ended)]
    assert [one.message for one in found if one] == ["old", "", "new"]


def test_kubelets_year_of_1970_is_no_time() -> None:
    ended = {"terminated": {"exitCode": 128, "reason": "StartError", "message": "no such file", "startedAt": "1970-01-01T00:00:00Z"}}
    found = facts(pod(pod_status.status("Failed", agent=ended))).container("agent")
    assert found == ContainerFacts("agent", exit_code=128, reason="StartError", message="no such file")


def test_restarts_are_counted() -> None:
    again = pod_status.container("gateway", pod_status.running(NOW), last=pod_status.terminated(1))
    found = facts(pod(pod_status.status("Running", init={"gateway": again}))).container("gateway")
    assert found is not None
    assert found.restarts == 1


def test_a_container_without_a_state_is_read() -> None:
    found = facts(pod({"containerStatuses": [{"name": "agent"}]}))
    assert (found.container("agent"), found.phase) == (ContainerFacts("agent"), "Pending")
    assert found.container("gateway") is None


PROBLEMS: list[Any] = [
    pytest.param(pod_status.pending(), None, id="not on a node yet"),
    pytest.param(pod_status.starting(), None, id="its containers are created"),
    pytest.param(pod_status.starting("PodInitializing"), None, id="its init containers run"),
    pytest.param(pod_status.status("Pending", agent={"waiting": {}}), None, id="it waits without a reason"),
    pytest.param(pod_status.unschedulable("no room"), ("Unschedulable", "no room"), id="no node"),
    pytest.param(pod_status.starting("ErrImagePull", "no image"), ("ImagePullBackOff", "no image"), id="the pull failed"),
    pytest.param(pod_status.starting("ImagePullBackOff", "no image"), ("ImagePullBackOff", "no image"), id="the pull is tried again"),
    pytest.param(pod_status.starting("InvalidImageName", "x", name="agent"), ("InvalidImageName", "x"), id="the agent's image"),
    pytest.param(
        pod_status.status("Pending", conditions=[pod_status.condition("PodScheduled", "False", "SchedulingGated", "gate")]), None, id="it is gated",
    ),
    pytest.param(pod_status.status("Pending", conditions=[pod_status.condition("PodScheduled", "True", "Unschedulable")]), None, id="it has a node"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "problem"), PROBLEMS)
def test_what_keeps_a_pod_from_starting_has_a_name(state: Json, problem: tuple[str, str] | None) -> None:
    assert facts(pod(state)).problem == problem


@pytest.mark.parametrize(("value", "expected"), [("True", ("TerminationByKubelet", "shutting down")), ("False", None)])
def test_a_disruption_is_one_only_when_it_is_true(value: str, expected: tuple[str, str] | None) -> None:
    state = pod_status.status("Failed", conditions=[pod_status.condition("DisruptionTarget", value, "TerminationByKubelet", "shutting down")])
    assert facts(pod(state)).disrupted == expected


@pytest.mark.parametrize(
    ("phase", "running", "terminal"),
    [("Pending", False, False), ("Running", True, False), ("Succeeded", False, True), ("Failed", False, True), ("Unknown", False, False)],
)
def test_a_phase_says_whether_somebody_can_still_write(phase: str, running: bool, terminal: bool) -> None:
    found = facts(pod({"phase": phase}))
    assert (found.running, found.terminal) == (running, terminal)


def test_a_pod_that_is_gone_is_terminal_and_keeps_its_last_words() -> None:
    last = facts(running_pod())
    gone = vanished(last)
    assert (gone.terminal, gone.gone, gone.unwatched) == (True, True, False)
    assert gone.containers == last.containers
    assert vanished(last, unwatched=True).unwatched is True


def test_versions_and_nodes_make_no_difference_to_plans_all_else_does() -> None:
    one = facts(running_pod())
    assert one == replace(one, version=999, node="node-2")
    assert one != replace(one, phase="Failed")
    assert one != replace(one, containers=())
