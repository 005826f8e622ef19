"""The whole life of a session, decision by decision: what is created, deleted and written when."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.engine.plan import Plan, Refusal
from stint.sessions.plan import LOST_AFTER, PATIENCE, plan
from stint.settings import NetworkPolicySettings
from unit.sessions.builders import (
    NAME,
    NAMESPACE,
    NOW,
    SETTINGS,
    UID,
    Gone,
    ago,
    ahead,
    attempt,
    condition,
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

ALL = ["networkpolicies", "persistentvolumeclaims", "pods"]
DONE = ended_pod(pod_status.result(text="done"), pod_status.report())
FAILED = ended_pod(pod_status.failure("AuthFailed", "the key is wrong"), pod_status.report())
RETRY = "2026-11-21T09:59:00Z"


# Starting


def test_a_new_session_gets_policy_volume_and_pod_in_this_order_and_no_status() -> None:
    decided = plan(observed())
    assert created(decided) == ALL
    assert [one.shared for one in decided.create] == [True, False, False]
    assert decided.status is None
    assert decided.events == ()
    assert decided.look_again == ahead(300)


def test_a_policy_that_is_in_place_is_not_written_again() -> None:
    policy = plan(observed()).create[0].manifest["spec"]
    assert created(plan(observed(policy=policy))) == ALL[1:]


def test_a_policy_that_has_changed_is_written_again() -> None:
    policy = plan(observed()).create[0].manifest["spec"]
    assert created(plan(observed(policy={**policy, "egress": []}))) == ALL


def test_without_network_policies_none_is_created() -> None:
    settings = SETTINGS.model_copy(update={"network_policy": NetworkPolicySettings(enabled=False)})
    assert created(plan(observed(settings=settings))) == ALL[1:]


def test_an_ephemeral_session_gets_no_volume() -> None:
    assert created(plan(observed(session({"workspace": {"ephemeral": True}})))) == ["networkpolicies", "pods"]


def test_it_looks_again_when_the_pod_should_have_started() -> None:
    assert plan(observed(session({"limits": {"startTimeout": "90s"}}))).look_again == ahead(90)


def test_the_next_attempt_gets_the_next_pod() -> None:
    decided = plan(observed(session(status=status(history=[attempt(1, "Failed", "Overloaded"), attempt(2, "Disrupted", "Evicted")]))))
    assert decided.create[-1].manifest["metadata"]["name"] == f"{NAME}-3"


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(session(deletionTimestamp=stamp(NOW)), id="a new one"),
        pytest.param(session(status=running_status(1), deletionTimestamp=stamp(NOW)), id="one whose pod is gone"),
    ],
)
def test_nothing_is_done_for_a_session_that_is_being_deleted(item: Json) -> None:
    assert plan(observed(item)) == Plan()


def test_a_session_that_is_being_deleted_settles_no_pod() -> None:
    assert plan(observed(session(status=running_status(1), deletionTimestamp=stamp(NOW)), pods=[DONE])) == Plan()


# While the pod starts


def test_nothing_is_written_while_a_pod_starts_as_pods_do() -> None:
    assert plan(observed(pods=[pod(pod_status.starting(), created=ago(10))])) == Plan(look_again=ahead(290))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        pytest.param(pod_status.unschedulable("no node"), "Unschedulable", id="no node has room"),
        pytest.param(pod_status.starting("ImagePullBackOff", "no node"), "ImagePullBackOff", id="the image cannot be pulled"),
        pytest.param(pod_status.starting("ErrImagePull", "no node"), "ImagePullBackOff", id="the other name of the same problem"),
        pytest.param(pod_status.starting("CreateContainerConfigError", "no node", name="agent"), "CreateContainerConfigError", id="the agent's own"),
    ],
)
def test_what_keeps_a_pod_from_starting_is_named(state: Json, reason: str) -> None:
    decided = plan(observed(pods=[pod(state, created=ago(10))]))
    found = status_of(decided)
    assert found["waitingFor"] == {"kind": "Pod", "name": f"{NAME}-1", "reason": reason}
    assert told(found)["Ready"] == ("False", reason)
    assert message(found) == "no node"
    assert (found["attempt"], found["podName"], found["phase"]) == (1, f"{NAME}-1", "Pending")
    assert decided.look_again == ahead(290)


def test_a_problem_of_the_first_seconds_is_not_worth_a_word() -> None:
    young = pod(pod_status.unschedulable(), created=ago(3))
    assert plan(observed(pods=[young])) == Plan(look_again=ago(3) + PATIENCE)
    assert plan(replace(observed(pods=[young]), now=ago(3) + PATIENCE)).status is not None


def test_a_problem_that_was_told_is_not_written_again_when_its_words_change() -> None:
    state = pod_status.starting("ImagePullBackOff", "back-off 40s")
    first = status_of(plan(observed(pods=[pod(pod_status.starting("ErrImagePull", "no such image"))])))
    assert plan(observed(session(status=first), pods=[pod(state)])).status is None


def test_a_problem_that_is_over_is_not_told_any_longer() -> None:
    first = status_of(plan(observed(pods=[pod(pod_status.unschedulable())])))
    assert "waitingFor" in first
    found = status_of(plan(observed(session(status=first), pods=[pod(pod_status.starting())])))
    assert "waitingFor" not in found
    assert told(found)["Running"] == ("False", "PodPending")


def test_a_session_says_no_longer_what_it_waited_for_once_its_pod_is_created() -> None:
    waiting = {"kind": "ModelProvider", "name": "default", "reason": "ProviderNotFound"}
    before = status(waitingFor=waiting, phase="Waiting", conditions=[condition("Admitted", "False", "ProviderNotFound")])
    found = status_of(plan(observed(session(status=before), pods=[pod(pod_status.starting())])))
    assert "waitingFor" not in found
    assert told(found)["Admitted"] == ("True", "Admitted")


def test_a_pod_that_has_not_run_is_not_marked_as_one_that_has() -> None:
    before = running_status(1, history=[attempt(1, "Failed", "Overloaded")])
    found = status_of(plan(observed(session(status=before), pods=[pod(pod_status.unschedulable(), 2)])))
    assert "podUID" not in found
    assert found["attempt"] == 2


def test_a_pod_that_does_not_start_in_time_is_deleted_and_settled_only_when_it_has_ended() -> None:
    decided = plan(observed(pods=[pod(pod_status.starting(), created=ago(300))]))
    assert deleted(decided) == [("pods", f"{NAME}-1")]
    assert decided.status is None


def test_a_pod_may_use_the_last_second_of_its_start_timeout() -> None:
    decided = plan(observed(session({"limits": {"startTimeout": "2m"}}), pods=[pod(pod_status.starting(), created=ago(119))]))
    assert decided == Plan(look_again=ahead(1))


def test_a_pod_whose_session_cannot_be_read_any_more_has_five_minutes() -> None:
    broken = session()
    broken["spec"]["suspend"] = ["no"]
    seen = observed(broken, pods=[pod(pod_status.starting(), created=ago(299))])
    assert plan(seen).look_again == ahead(1)
    assert deleted(plan(replace(seen, now=ahead(1)))) == [("pods", f"{NAME}-1")]


def test_a_pod_without_a_creation_time_is_given_its_whole_start_timeout() -> None:
    item = pod(pod_status.starting())
    del item["metadata"]["creationTimestamp"]
    assert plan(observed(pods=[item])).look_again == ahead(300)


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


# Running again


def test_a_finished_session_starts_nothing() -> None:
    assert plan(observed(session(status=finished_status()))).create == ()


def test_a_finished_session_runs_again_when_asked() -> None:
    decided = plan(observed(session({"retryRequest": RETRY}, status=finished_status())))
    assert created(decided) == ALL
    assert decided.create[-1].manifest["metadata"]["name"] == f"{NAME}-2"


def test_a_request_that_was_carried_out_runs_nothing() -> None:
    assert plan(observed(session({"retryRequest": RETRY}, status=finished_status(observedRetryRequest=RETRY)))).create == ()


def test_a_retry_request_with_fractions_of_a_second_runs_the_session_once() -> None:
    spec = {"retryRequest": "2026-11-21T09:59:00.500Z"}
    second = ended_pod(pod_status.result(), pod_status.report(), 2)
    found = status_of(plan(observed(session(spec, status=finished_status()), pods=[second])))
    assert found["completionTime"] == stamp(NOW)
    assert created(plan(observed(session(spec, status=found), pods=[second]))) == []


def test_while_it_runs_again_it_is_not_finished() -> None:
    found = status_of(plan(observed(session({"retryRequest": RETRY}, status=finished_status()), pods=[running_pod(2)])))
    assert found["observedRetryRequest"] == RETRY
    assert "completionTime" not in found
    assert told(found)["Succeeded"] == ("Unknown", "InProgress")


def test_a_rerun_after_the_ttl_took_the_volume_creates_it_again() -> None:
    item = session(
        {"retryRequest": RETRY, "ttlSecondsAfterFinished": 10}, status=finished_status(ended=3600, expired=True),
        annotations={"argocd.argoproj.io/tracking-id": "x"},
    )  # fmt: skip
    assert "persistentvolumeclaims" in created(plan(observed(item)))


def test_a_cancelled_session_cannot_be_run_again() -> None:
    decided = plan(observed(session({"retryRequest": RETRY, "cancel": True}, status=finished_status("Cancelled"))))
    assert decided.create == ()
    assert status_of(decided)["observedRetryRequest"] == RETRY
    assert status_of(decided)["phase"] == "Failed"


# Holding


def test_what_holds_a_session_is_said_with_an_event_once() -> None:
    decided = plan(observed(no_provider=True))
    found = status_of(decided)
    assert (found["phase"], found["waitingFor"]) == ("Waiting", {"kind": "ModelProvider", "name": "default", "reason": "ProviderNotFound"})
    assert [(event.reason, event.warning) for event in decided.events] == [("ProviderNotFound", True)]
    again = plan(replace(observed(session(status=found), no_provider=True), now=ahead(30)))
    assert again.events == ()
    assert status_of(again) == found


def test_what_a_person_must_change_is_stalled_and_waits_for_no_time() -> None:
    decided = plan(observed(session({"agent": {"outputSchema": {"type": "nonsense"}}})))
    found = status_of(decided)
    assert (found["phase"], decided.look_again) == ("Stalled", None)
    assert "waitingFor" not in found
    assert told(found)["Stalled"] == ("True", "InvalidOutputSchema")


def test_a_moment_that_moves_with_the_clock_is_not_written() -> None:
    refusal = Refusal("Pod", f"{NAME}-1", "Forbidden", "quota")
    decided = plan(observed(refusal=refusal))
    assert "until" not in status_of(decided)["waitingFor"]
    assert decided.look_again == ahead(30)


def test_the_time_of_a_reset_is_not_forgotten_when_something_else_is_missing_meanwhile() -> None:
    before = status(history=[attempt(1, "Failed", "RateLimited")], nextRetryTime=stamp(ahead(3600)))
    assert status_of(plan(observed(session(status=before), no_provider=True)))["nextRetryTime"] == stamp(ahead(3600))


def test_a_session_at_its_limit_is_suspended_as_well_as_stalled() -> None:
    before = status(history=[attempt(1, "Failed", "BudgetReached", cost="5")], usage=pod_status.counts("5"))
    found = status_of(plan(observed(session(status=before))))
    assert found["phase"] == "Suspended"
    assert {"Suspended", "Stalled"} <= set(told(found))


SETTLED: list[Any] = [
    pytest.param({}, DONE, id="succeeded"),
    pytest.param({}, FAILED, id="failed"),
    pytest.param({}, ended_pod(pod_status.failure("Overloaded"), pod_status.report()), id="backing off"),
    pytest.param({}, ended_pod(pod_status.failure("X"), pod_status.report("5", limitReached="cost")), id="at its limit"),
    pytest.param({"suspend": True}, ended_pod(pod_status.result("Interrupted"), pod_status.report()), id="suspended"),
    pytest.param({"cancel": True}, ended_pod(pod_status.result("Interrupted"), pod_status.report()), id="cancelled"),
]


@pytest.mark.parametrize(("spec", "item"), SETTLED)
def test_what_is_settled_is_not_settled_or_written_again(spec: Json, item: Json) -> None:
    first = status_of(plan(observed(session(spec, status=running_status(1)), pods=[item])))
    again = plan(replace(observed(session(spec, status=first), pods=[item]), now=NOW + timedelta(seconds=1)))
    assert again.status is None or status_of(again) == first
    assert (again.create, again.delete, again.events) == ((), (), ())


def test_everything_that_is_created_is_in_the_sessions_namespace_and_owned_by_it() -> None:
    decided = plan(observed())
    assert {one.manifest["metadata"]["namespace"] for one in decided.create} == {NAMESPACE}
    owned = [one.manifest["metadata"]["ownerReferences"][0]["uid"] for one in decided.create if not one.shared]
    assert owned == [UID, UID]
