"""What the end of an attempt does to the status: who is charged what, and what comes next."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.sessions.names import conversation
from stint.sessions.plan import plan
from stint.sessions.settlement import begun
from unit.sessions.builders import (
    NAME,
    NOW,
    UID,
    Gone,
    ago,
    ahead,
    attempt,
    ended_pod,
    finished_status,
    observed,
    pod,
    profile,
    running_pod,
    running_status,
    session,
    status,
)
from unit.sessions.kit import OUTPUT_SCHEMA, last_attempt, status_of, time

RETRY = "2026-11-21T09:59:00Z"
REPORT = pod_status.report("0.25")
REFUSED = pod_status.report("0.25", lastError={"status": 429, "type": "rate_limit_error", "message": "slow down"})


def settled(item: Json | Gone, spec: Json | None = None, before: Json | None = None) -> Json:
    """The status after this pod."""
    return status_of(plan(observed(session(spec, status=before or running_status(1)), pods=[item])))


# The record of an attempt


def test_an_attempt_is_recorded_with_everything_about_it() -> None:
    found = settled(ended_pod(pod_status.result(text="done"), REPORT, ran=120))
    assert found["history"] == [
        {
            "attempt": 1, "podName": f"{NAME}-1", "podUID": "pod-1", "start": stamp(ago(135)), "end": stamp(ago(10)), "outcome": "Succeeded",
            "reason": "Completed", "exitCode": 0, **pod_status.counts("0.25"), "estimated": False,
        }
    ]  # fmt: skip
    assert (found["attempt"], found["podName"], found["sessionID"]) == (1, f"{NAME}-1", conversation(UID))
    assert (found["startTime"], found["activeSeconds"], found["completionTime"]) == (stamp(ago(130)), 120, stamp(NOW))
    assert "podUID" not in found


def test_the_history_keeps_the_last_ten_attempts() -> None:
    before = running_status(12, history=[attempt(number, "Disrupted", "Evicted") for number in range(2, 12)])
    found = settled(ended_pod(pod_status.result(), REPORT, 12), before=before)
    assert [entry["attempt"] for entry in found["history"]] == list(range(3, 13))


def test_a_pod_without_an_exit_code_is_recorded_without_one() -> None:
    assert "exitCode" not in settled(Gone(running_pod()))["history"][-1]


def test_the_first_start_of_a_session_stays() -> None:
    before = running_status(2, history=[attempt(1, "Disrupted", "Evicted", start=stamp(ago(900)))])
    assert settled(ended_pod(pod_status.result(), REPORT, 2), before=before)["startTime"] == stamp(ago(900))


def test_active_time_is_added_up() -> None:
    before = running_status(2, history=[attempt(1, "Disrupted", "Evicted")], activeSeconds=100)
    assert settled(ended_pod(pod_status.result(), REPORT, 2, ran=20), before=before)["activeSeconds"] == 120


@pytest.mark.parametrize(
    ("item", "seconds"),
    [
        pytest.param(Gone(running_pod(since=60)), 60, id="gone a moment ago"),
        pytest.param(Gone(running_pod(since=86400, deleting=ago(86000))), 400, id="it hung on a lost node for a day"),
        pytest.param(Gone(running_pod(since=10, deleting=ago(60))), 0, id="its node's clock is ahead"),
        pytest.param(Gone(pod(pod_status.starting())), 0, id="it never ran"),
        pytest.param(pod(pod_status.status("Failed", agent=pod_status.terminated(1, started=ago(50)))), 50, id="kubelet does not say when it ended"),
        pytest.param(pod(pod_status.ended(started=ago(10), finished=ago(20), exit_code=1)), 0, id="it ended before it started"),
    ],
)
def test_only_time_that_an_agent_worked_counts(item: Json | Gone, seconds: int) -> None:
    assert settled(item)["activeSeconds"] == seconds


# Results


def test_a_result_is_kept_up_to_four_kib() -> None:
    assert settled(ended_pod(pod_status.result(text="done"), REPORT))["result"] == {"text": "done", "truncated": False}
    long = settled(ended_pod(pod_status.result(text="é" * 5000), REPORT))["result"]
    assert long == {"text": "é" * 4096, "truncated": True}


def test_a_text_that_the_runner_cut_is_marked() -> None:
    assert settled(ended_pod(pod_status.result(text="do", truncated=True), REPORT))["result"]["truncated"] is True


def test_structured_output_is_kept_where_it_was_asked_for() -> None:
    output = {"sha256": pod_status.canonical_hash({"a": None}), "valid": True, "error": None}
    found = settled(ended_pod(pod_status.result(structured={"a": None}, truncated=True), pod_status.report(output=output)), OUTPUT_SCHEMA)
    assert found["result"] == {"text": "", "structured": {"a": None}, "truncated": False}


def test_output_that_nobody_asked_for_is_not_kept() -> None:
    assert "structured" not in settled(ended_pod(pod_status.result(structured={"a": 1}), REPORT))["result"]


def test_an_error_is_kept_with_all_that_the_provider_said() -> None:
    found = settled(ended_pod(pod_status.failure("RateLimited", "slow down", apiStatus=429, resetsAt=stamp(ahead(60))), REFUSED))["result"]
    assert found == {"error": {"class": "RateLimited", "message": "slow down", "apiStatus": 429, "resetsAt": stamp(ahead(60))}, "truncated": False}


def test_what_an_agent_said_before_it_failed_is_kept() -> None:
    text = pod_status.result("Failed", text="half done", error={"class": "MaxTurns", "message": "enough"})
    assert settled(ended_pod(text, REPORT))["result"] == {"text": "half done", "error": {"class": "MaxTurns", "message": "enough"}, "truncated": False}


def test_what_a_failed_agent_said_is_bounded() -> None:
    text = pod_status.result("Failed", text="x" * 5000, error={"class": "MaxTurns", "message": "enough"})
    assert len(settled(ended_pod(text, REPORT))["result"]["text"]) == 4096


@pytest.mark.parametrize("spec", [{}, {"suspend": True}], ids=["disrupted", "suspended"])
def test_the_last_error_stays_until_there_is_news(spec: Json) -> None:
    error = {"error": {"class": "Overloaded", "message": "busy"}, "truncated": False}
    before = running_status(2, history=[attempt(1, "Failed", "Overloaded")], result=error)
    assert settled(Gone(running_pod(2)), spec, before)["result"] == error


def test_an_attempt_that_was_disrupted_has_no_result() -> None:
    assert "result" not in settled(Gone(running_pod()))


# What comes next

NEXT: list[Any] = [
    pytest.param(pod_status.result(), {}, True, False, id="it succeeded"),
    pytest.param(pod_status.result("Interrupted"), {"cancel": True}, True, False, id="it was cancelled"),
    pytest.param(pod_status.result("Interrupted"), {"suspend": True}, False, False, id="it was suspended"),
    pytest.param(pod_status.failure("Overloaded"), {}, False, True, id="a failure that another attempt may cure"),
    pytest.param(pod_status.failure("Overloaded"), {"retry": {"limit": 0}}, True, False, id="no retry is left"),
    pytest.param(pod_status.failure("AuthFailed"), {}, True, False, id="a failure that another attempt does not cure"),
    pytest.param(pod_status.failure("Timeout"), {}, True, False, id="its time is up"),
]


@pytest.mark.parametrize(("result", "spec", "finished", "retries"), NEXT)
def test_an_ending_leads_on(result: str, spec: Json, finished: bool, retries: bool) -> None:
    found = settled(ended_pod(result, REPORT), spec)
    assert ("completionTime" in found, "nextRetryTime" in found) == (finished, retries)


def test_failures_are_counted_up_to_the_limit() -> None:
    before = running_status(3, history=[attempt(1, "Failed", "Overloaded"), attempt(2, "Failed", "Overloaded")], failures=2)
    found = settled(ended_pod(pod_status.failure("Overloaded"), REPORT, 3), before=before)
    assert found["failures"] == 3
    assert "completionTime" in found
    once_more = settled(ended_pod(pod_status.failure("Overloaded"), REPORT, 3), {"retry": {"limit": 3}}, before)
    assert "completionTime" not in once_more


def test_a_limit_that_is_reached_counts_as_no_failure_and_waits_for_no_time() -> None:
    found = settled(ended_pod(pod_status.failure("Overloaded"), pod_status.report("5", limitReached="cost")))
    assert found.get("failures", 0) == 0
    assert "completionTime" not in found
    assert "nextRetryTime" not in found


def test_the_agents_word_that_its_budget_is_reached_is_not_enough() -> None:
    found = settled(ended_pod(pod_status.failure("BudgetReached"), pod_status.report("0")), {"retry": {"limit": 0}})
    assert "completionTime" in found


def test_a_window_that_resets_uses_up_no_retry() -> None:
    found = settled(ended_pod(pod_status.failure("RateLimited", resetsAt=stamp(ahead(600))), REFUSED), {"retry": {"limit": 0}})
    assert found["failures"] == 0
    assert time(found["nextRetryTime"]) >= ahead(600)


UNBELIEVED: list[Any] = [
    pytest.param(pod_status.failure("RateLimited", resetsAt=stamp(ahead(600))), REPORT, id="the gateway saw no refusal"),
    pytest.param(pod_status.failure("RateLimited", resetsAt=stamp(ahead(600))), "", id="there is no report"),
    pytest.param(pod_status.failure("RateLimited", resetsAt=stamp(ago(1))), REFUSED, id="the window is reset already"),
    pytest.param(pod_status.failure("AgentCrashed", resetsAt=stamp(ahead(600))), REFUSED, id="it was something else"),
]


@pytest.mark.parametrize(("result", "report"), UNBELIEVED)
def test_a_window_that_only_the_agent_speaks_of_uses_up_a_retry(result: str, report: str) -> None:
    assert "completionTime" in settled(ended_pod(result, report), {"retry": {"limit": 0}})


def test_a_rate_limit_without_a_window_uses_up_a_retry() -> None:
    assert "completionTime" in settled(ended_pod(pod_status.failure("RateLimited"), REPORT), {"retry": {"limit": 0}})


def test_disruptions_use_up_no_retry() -> None:
    found = settled(Gone(running_pod()), {"retry": {"limit": 0}})
    assert (found["disruptions"], found.get("failures", 0)) == (1, 0)
    assert "completionTime" not in found


@pytest.mark.parametrize(("before", "finished"), [(19, False), (20, True)])
def test_twenty_disruptions_are_borne(before: int, finished: bool) -> None:
    found = settled(Gone(running_pod()), before=running_status(1, disruptions=before))
    assert ("completionTime" in found) == finished


def test_a_pod_that_does_not_start_uses_up_a_retry() -> None:
    stuck = Gone(pod(pod_status.starting(), created=ago(400)))
    found = status_of(plan(observed(pods=[stuck])))
    assert (found["history"][-1]["outcome"], found["failures"]) == ("StartFailed", 1)
    assert found["result"]["error"]["class"] == "StartTimeout"
    assert "nextRetryTime" in found


def test_a_failure_while_the_profile_is_missing_does_not_finish_the_session() -> None:
    found = settled(ended_pod(pod_status.failure("Overloaded"), REPORT), {"profileRef": {"name": "bug-fixer"}})
    assert "completionTime" not in found


def test_a_failure_of_a_session_that_cannot_be_read_finishes_it() -> None:
    broken = session(status=running_status(1))
    broken["spec"]["suspend"] = ["no"]
    found = status_of(plan(observed(broken, pods=[ended_pod(pod_status.failure("Overloaded"), REPORT)])))
    assert "completionTime" in found


def test_the_profiles_retries_count() -> None:
    item = session({"profileRef": {"name": "bug-fixer"}}, status=running_status(1))
    seen = observed(item, profile=profile({"retry": {"limit": 0}}), pods=[ended_pod(pod_status.failure("Overloaded"), REPORT)])
    assert "completionTime" in status_of(plan(seen))


# Going on from a status


def test_a_status_goes_on_for_the_spec_as_it_is_now() -> None:
    seen = observed(session(status=status(waitingFor={"reason": "X"}, nextRetryTime=stamp(NOW)), generation=7))
    assert begun(seen) == {"observedGeneration": 7}


def test_a_retry_that_lies_ahead_is_kept() -> None:
    before = status(history=[attempt(1, "Failed", "Overloaded")], nextRetryTime=stamp(ahead(1)))
    assert begun(observed(session(status=before)))["nextRetryTime"] == stamp(ahead(1))


def test_a_rerun_starts_with_a_clean_slate_but_keeps_what_was_used() -> None:
    before = finished_status(
        failures=3, disruptions=2, activeSeconds=60, expired=True, result={"text": "x", "truncated": False}, usage=pod_status.counts("1")
    )
    found = begun(observed(session({"retryRequest": RETRY}, status=before)))
    assert (found["failures"], found["disruptions"], found["activeSeconds"]) == (0, 0, 0)
    assert found["observedRetryRequest"] == RETRY
    assert not {"completionTime", "result", "expired"} & set(found)
    assert found["usage"] == pod_status.counts("1")
    assert len(found["history"]) == 1


def test_a_request_while_it_runs_is_taken_note_of_and_resets_nothing() -> None:
    found = begun(observed(session({"retryRequest": RETRY}, status=running_status(1, failures=1))))
    assert (found["observedRetryRequest"], found["failures"]) == (RETRY, 1)


def test_a_pod_that_ends_before_it_was_seen_to_run_again_is_settled_as_a_rerun() -> None:
    before = finished_status(failures=2)
    found = settled(ended_pod(pod_status.failure("Overloaded"), REPORT, 2), {"retryRequest": RETRY, "retry": {"limit": 1}}, before)
    assert found["failures"] == 1
    assert "completionTime" not in found


def test_the_status_that_was_observed_is_never_changed() -> None:
    item = session(status=running_status(2, history=[attempt(1, "Disrupted", "PodLost", estimated=True, cost="1")], usage=pod_status.counts("1")))
    copy = json.loads(json.dumps(item))
    previous = [{"pod": "pod-1", "attempt": 1, "usage": pod_status.counts("0.5")}]
    plan(observed(item, pods=[ended_pod(pod_status.result(), pod_status.report(previous=previous), 2)]))
    assert item == copy


def test_a_settlement_says_when_it_happened() -> None:
    found = settled(ended_pod(pod_status.result(), REPORT))
    assert time(found["completionTime"]) - time(found["history"][-1]["end"]) == timedelta(seconds=10)


def restarted(message: str) -> Json:
    """A pod whose gateway was restarted once and ended with these words."""
    gateway = pod_status.container("gateway", pod_status.terminated(1, message, started=ago(20), finished=ago(10)), last=pod_status.terminated(137))
    agent = pod_status.terminated(1, started=ago(60), finished=ago(10))
    return pod(pod_status.status("Failed", init={"gateway": gateway}, agent=agent))


def test_an_attempt_whose_gateway_could_not_start_again_is_estimated() -> None:
    error = json.dumps({"version": 1, "error": {"class": "InputInvalid", "message": "no credential"}})
    entry = last_attempt(plan(observed(session(status=running_status(1)), pods=[restarted(error)])))
    assert (entry["reason"], entry["cost"], entry["estimated"]) == ("InputInvalid", "5", True)


def test_an_attempt_whose_gateway_could_not_start_is_free() -> None:
    error = json.dumps({"version": 1, "error": {"class": "InputInvalid", "message": "no credential"}})
    done = plan(observed(session(status=running_status(1)), pods=[ended_pod("", error, exit_code=1)]))
    entry = last_attempt(done)
    assert (entry["reason"], entry["cost"], entry["estimated"]) == ("InputInvalid", "0", False)


@pytest.mark.parametrize("when", ["asked for", "its pod is there"])
def test_a_run_that_begins_again_has_all_its_time(when: str) -> None:
    """A session that failed for its time can be run once more, with as much time as before."""
    request = {"retryRequest": "2026-11-21T09:59:00Z"} if when == "asked for" else {}
    item = session({**request, "limits": {"timeout": "1h"}}, status=finished_status(activeSeconds=3600))
    pods = [] if when == "asked for" else [pod(pod_status.starting(), 9)]
    assert observed(item, pods=pods).active_seconds == 0
