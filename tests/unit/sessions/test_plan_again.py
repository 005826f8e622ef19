"""A session that is finished or held: when it runs again, and what it says until then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.engine.plan import Refusal
from stint.sessions.plan import plan
from unit.sessions.builders import (
    NAME,
    NAMESPACE,
    NOW,
    UID,
    ahead,
    attempt,
    ended_pod,
    finished_status,
    observed,
    running_pod,
    running_status,
    session,
    status,
)
from unit.sessions.kit import created, status_of, told
from unit.sessions.plan_kit import ALL, DONE, FAILED, RETRY

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
