"""An attempt is over: its pod has ended, or nobody knows what became of it."""

from __future__ import annotations

import json

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.engine.plan import Plan
from stint.sessions.plan import plan
from unit.sessions.builders import (
    NAME,
    NOW,
    Gone,
    ago,
    ahead,
    attempt,
    ended_pod,
    finished_status,
    observed,
    pod,
    running_pod,
    running_status,
    session,
    status,
)
from unit.sessions.kit import created, deleted, last_attempt, message, status_of, time, told
from unit.sessions.plan_kit import ALL, DONE, FAILED

# When the pod has ended


def test_a_session_whose_agent_is_done_has_succeeded() -> None:
    decided = plan(observed(session(status=running_status(1)), pods=[DONE]))
    found = status_of(decided)
    assert found["phase"] == "Succeeded"
    assert told(found) == {
        "Admitted": ("True", "Admitted"), "Running": ("False", "Completed"), "Succeeded": ("True", "Completed"), "Ready": ("True", "Completed"),
    }  # fmt: skip
    assert (decided.events, decided.delete, decided.look_again) == ((), (), None)


def test_a_session_that_expires_is_looked_at_again() -> None:
    decided = plan(observed(session({"ttlSecondsAfterFinished": 60}, status=running_status(1)), pods=[DONE]))
    assert decided.look_again == NOW


def test_a_failure_that_no_retry_cures_ends_the_session_with_an_event() -> None:
    decided = plan(observed(session(status=running_status(1)), pods=[FAILED]))
    found = status_of(decided)
    assert (found["phase"], told(found)["Stalled"]) == ("Failed", ("True", "AuthFailed"))
    assert [(event.reason, event.message, event.warning) for event in decided.events] == [("AuthFailed", "attempt 1: the key is wrong", True)]


def test_a_failure_that_a_retry_may_cure_is_waited_out() -> None:
    decided = plan(observed(session(status=running_status(1)), pods=[ended_pod(pod_status.failure("Overloaded", "busy"), pod_status.report())]))
    found = status_of(decided)
    assert found["phase"] == "Waiting"
    assert found["waitingFor"] == {"reason": "BackingOff", "until": found["nextRetryTime"]}
    assert told(found)["Admitted"] == ("False", "BackingOff")
    assert message(found) == "attempt 1 failed (Overloaded): busy"
    assert decided.look_again == time(found["nextRetryTime"])
    assert [event.reason for event in decided.events] == ["Overloaded"]


def test_after_a_disruption_the_next_attempt_comes_at_once() -> None:
    decided = plan(observed(session(status=running_status(1)), pods=[Gone(running_pod())]))
    found = status_of(decided)
    assert (found["phase"], found["disruptions"], decided.look_again) == ("Pending", 1, NOW)
    assert [event.reason for event in decided.events] == ["PodDeleted"]
    assert created(plan(observed(session(status=found)))) == ALL


def test_at_its_limit_a_session_is_held_with_its_state() -> None:
    decided = plan(observed(session(status=running_status(1)), pods=[ended_pod(pod_status.failure("X"), pod_status.report("5", limitReached="cost"))]))
    found = status_of(decided)
    assert (found["phase"], told(found)["Stalled"], told(found)["Suspended"]) == ("Suspended", ("True", "BudgetReached"), ("True", "BudgetReached"))
    assert "completionTime" not in found


def test_a_suspended_pod_is_removed_once_it_is_settled() -> None:
    ended = ended_pod(pod_status.result("Interrupted"), pod_status.report())
    decided = plan(observed(session({"suspend": True}, status=running_status(1)), pods=[ended]))
    assert last_attempt(decided)["outcome"] == "Suspended"
    assert status_of(decided)["phase"] == "Suspended"
    assert deleted(decided) == [("pods", f"{NAME}-1")]
    assert decided.events == ()


@pytest.mark.parametrize("item", [ended_pod(pod_status.result("Interrupted"), deleting=ahead(5)), Gone(running_pod())], ids=["deleted", "gone"])
def test_a_suspended_pod_that_is_on_its_way_out_is_not_deleted_again(item: Json | Gone) -> None:
    assert plan(observed(session({"suspend": True}, status=running_status(1)), pods=[item])).delete == ()


def test_a_cancelled_session_keeps_its_log_and_makes_no_noise() -> None:
    ended = ended_pod(pod_status.result("Interrupted"), pod_status.report())
    decided = plan(observed(session({"cancel": True}, status=running_status(1)), pods=[ended]))
    assert (decided.delete, decided.events) == ((), ())
    assert status_of(decided)["phase"] == "Failed"


def test_too_many_disruptions_are_named() -> None:
    decided = plan(observed(session(status=running_status(1, disruptions=20)), pods=[Gone(running_pod())]))
    found = status_of(decided)
    assert found["completionTime"] == stamp(NOW)
    assert found["result"]["error"]["class"] == "TooManyDisruptions"
    assert told(found)["Stalled"] == ("True", "TooManyDisruptions")
    assert [event.reason for event in decided.events] == ["TooManyDisruptions"]


def test_tools_that_did_not_connect_are_told() -> None:
    tools = [{"name": "docs", "status": "failed", "required": False, "error": "refused"}]
    decided = plan(observed(session(status=running_status(1)), pods=[ended_pod(pod_status.result(tools=tools), pod_status.report())]))
    assert told(status_of(decided))["ToolsReady"] == ("False", "ToolsDegraded")


def test_tools_are_told_while_the_session_backs_off() -> None:
    tools = [{"name": "docs", "status": "failed", "required": True, "error": "refused"}]
    result = pod_status.failure("ToolsUnavailable")[:-1] + f', "tools": {json.dumps(tools)}}}'
    decided = plan(observed(session(status=running_status(1)), pods=[ended_pod(result, pod_status.report())]))
    assert told(status_of(decided))["ToolsReady"] == ("False", "ToolsUnavailable")


def test_a_session_that_cannot_be_read_is_settled_all_the_same() -> None:
    broken = session(status=running_status(1))
    broken["spec"]["suspend"] = ["no"]
    decided = plan(observed(broken, pods=[DONE]))
    assert status_of(decided)["phase"] == "Succeeded"
    assert decided.look_again == NOW


# What nobody saw


def test_a_pod_that_nobody_saw_end_is_lost_and_estimated() -> None:
    decided = plan(observed(session(status=running_status(1))))
    entry = last_attempt(decided)
    assert (entry["outcome"], entry["reason"], entry["podUID"], entry["estimated"]) == ("Disrupted", "PodLost", "pod-1", True)
    assert status_of(decided)["activeSeconds"] == 0


def test_a_pod_that_nobody_saw_start_is_lost_for_free() -> None:
    before = status_of(plan(observed(pods=[pod(pod_status.unschedulable())])))
    entry = last_attempt(plan(observed(session(status=before))))
    assert (entry["outcome"], entry["reason"], entry["estimated"], entry["cost"]) == ("Disrupted", "PodLost", False, "0")


def test_a_pod_that_nobody_saw_is_not_as_old_as_the_session() -> None:
    # given a second attempt, of which only the status has kept a trace, an hour after the first has begun
    first = attempt(1, "Disrupted", "Evicted", start=pod_status.stamp(ago(3600)), end=pod_status.stamp(ago(3500)))
    before = status(history=[first]) | {"attempt": 2, "podName": f"{NAME}-2"}
    # when
    entry = last_attempt(plan(observed(session({"limits": {"startTimeout": "5m"}}, status=before))))
    # then
    assert (entry["attempt"], entry["outcome"], entry["reason"]) == (2, "Disrupted", "PodLost")
    assert entry["start"] == pod_status.stamp(NOW)


def test_a_finished_session_has_lost_no_pod() -> None:
    found = status_of(plan(observed(session(status=finished_status()))))
    assert len(found["history"]) == 1


def test_a_pod_left_over_by_a_crash_goes_before_anything_else_happens() -> None:
    before = status(history=[attempt(1, "Suspended", "Suspended")])
    decided = plan(observed(session(status=before), pods=[running_pod(1)]))
    assert deleted(decided) == [("pods", f"{NAME}-1")]
    assert (decided.create, decided.status) == ((), None)


def test_a_left_over_pod_that_is_being_deleted_is_waited_for() -> None:
    before = status(history=[attempt(1, "Suspended", "Suspended")])
    assert plan(observed(session(status=before), pods=[running_pod(1, deleting=ahead(5))])) == Plan()


def test_an_old_pod_that_has_ended_is_in_nobodys_way() -> None:
    before = status(history=[attempt(1, "Failed", "Overloaded")])
    assert created(plan(observed(session(status=before), pods=[DONE]))) == ALL
