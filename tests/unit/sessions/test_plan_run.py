"""A session that runs, and one that somebody suspends, cancels or deletes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.engine.plan import Plan
from stint.sessions.plan import LOST_AFTER, plan
from unit.sessions.builders import (
    NAME,
    NOW,
    ago,
    ahead,
    attempt,
    observed,
    pod,
    running_pod,
    running_status,
    session,
    status,
)
from unit.sessions.kit import deleted, message, status_of, told

# While the pod runs


def test_a_running_pod_is_told_once() -> None:
    found = status_of(plan(observed(pods=[running_pod(since=30)])))
    assert (found["phase"], found["attempt"], found["podName"], found["podUID"]) == ("Running", 1, f"{NAME}-1", "pod-1")
    assert found["startTime"] == stamp(ago(30))
    assert told(found)["Running"] == ("True", "PodRunning")
    again = plan(replace(observed(session(status=found), pods=[running_pod(since=30)]), now=ahead(60)))
    assert status_of(again) == found
    assert again.look_again is None


def test_the_start_of_the_first_attempt_stays_the_start_of_the_session() -> None:
    before = status(history=[attempt(1, "Failed", "Overloaded", start=stamp(ago(900)))], nextRetryTime=stamp(ago(1)))
    found = status_of(plan(observed(session(status=before), pods=[running_pod(2)])))
    assert found["startTime"] == stamp(ago(900))
    assert "nextRetryTime" not in found


def test_a_pod_that_runs_before_its_agent_does_counts_from_now() -> None:
    state = pod_status.status("Running", init={"gateway": pod_status.running(ago(3))}, agent=pod_status.waiting())
    assert status_of(plan(observed(pods=[pod(state)])))["startTime"] == stamp(NOW)


def test_a_retry_time_in_the_future_does_not_outlive_the_start_of_a_pod() -> None:
    before = status(history=[attempt(1, "Failed", "RateLimited")], nextRetryTime=stamp(ahead(900)))
    assert "nextRetryTime" not in status_of(plan(observed(session(status=before), pods=[running_pod(2)])))


# Suspend, cancel, delete


@pytest.mark.parametrize("wish", ["suspend", "cancel"])
@pytest.mark.parametrize("item", [running_pod(), pod(pod_status.starting())], ids=["running", "starting"])
def test_a_session_that_is_to_stop_loses_its_pod_first(wish: str, item: Json) -> None:
    decided = plan(observed(session({wish: True}, status=running_status(1)), pods=[item]))
    assert deleted(decided) == [("pods", f"{NAME}-1")]
    assert decided.delete[0].uid == "pod-1"
    assert decided.delete[0].grace_seconds == 30
    assert decided.status is None


def test_a_suspended_session_starts_nothing_and_says_so() -> None:
    decided = plan(observed(session({"suspend": True})))
    found = status_of(decided)
    assert decided.create == ()
    assert found["phase"] == "Suspended"
    assert told(found)["Suspended"] == ("True", "Suspended")


def test_the_time_of_a_reset_outlives_a_suspension() -> None:
    before = status(history=[attempt(1, "Failed", "RateLimited")], nextRetryTime=stamp(ahead(3600)))
    assert status_of(plan(observed(session({"suspend": True}, status=before))))["nextRetryTime"] == stamp(ahead(3600))


def test_a_session_that_is_cancelled_before_it_started_has_failed() -> None:
    decided = plan(observed(session({"cancel": True})))
    found = status_of(decided)
    assert found["completionTime"] == stamp(NOW)
    assert found["result"]["error"]["class"] == "Cancelled"
    assert (found["phase"], told(found)["Succeeded"]) == ("Failed", ("False", "Cancelled"))
    assert decided.look_again == NOW


def test_to_cancel_stands_above_to_suspend() -> None:
    assert status_of(plan(observed(session({"cancel": True, "suspend": True}))))["phase"] == "Failed"


def test_a_cancelled_session_waits_for_no_retry() -> None:
    before = status(history=[attempt(1, "Failed", "Overloaded")], nextRetryTime=stamp(ahead(60)))
    assert "nextRetryTime" not in status_of(plan(observed(session({"cancel": True}, status=before))))


def test_a_pod_that_is_being_deleted_is_waited_for() -> None:
    decided = plan(observed(session(status=running_status(1)), pods=[running_pod(deleting=ahead(20))]))
    assert decided == Plan(look_again=ahead(20) + LOST_AFTER)


def test_a_pod_that_is_being_deleted_is_not_deleted_again() -> None:
    assert plan(observed(session({"suspend": True}, status=running_status(1)), pods=[running_pod(deleting=ahead(20))])).delete == ()


@pytest.mark.parametrize(("node", "named"), [("node-1", "node node-1"), ("", "node unknown")])
def test_a_node_that_does_not_confirm_a_deletion_is_lost(node: str, named: str) -> None:
    decided = plan(observed(session(status=running_status(1)), pods=[running_pod(deleting=ago(15), node=node)]))
    found = status_of(decided)
    assert found["waitingFor"] == {"kind": "Pod", "name": f"{NAME}-1", "reason": "NodeLost"}
    assert told(found)["Running"] == ("False", "NodeLost")
    assert named in message(found)
    assert found["podUID"] == "pod-1", "that it ran is not forgotten"
    assert [event.reason for event in decided.events] == ["NodeLost"]
    assert decided.create == ()


def test_a_lost_node_is_told_once() -> None:
    first = status_of(plan(observed(session(status=running_status(1)), pods=[running_pod(deleting=ago(60))])))
    again = plan(observed(session(status=first), pods=[running_pod(deleting=ago(60))]))
    assert again.events == ()
    assert status_of(again) == first
