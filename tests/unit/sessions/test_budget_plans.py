"""What becomes of a session by the word of budgets: it waits, it is rejected, it is warned, it is held once its reserve is used up."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.api.budget import AtLimit
from stint.budgets.amounts import amounts
from stint.budgets.budget import BudgetKey
from stint.budgets.reasons import BUDGET_FULL, BUDGET_REJECTED, EXCEEDS_BUDGET
from stint.budgets.verdict import ADMITTED, Shortage, Verdict
from stint.engine.plan import Plan, Stalled, Waiting
from stint.sessions.holds import hold
from stint.sessions.kind import awaited
from stint.sessions.names import RESERVED_ANNOTATION
from stint.sessions.observed import Observed
from stint.sessions.plan import plan
from unit.sessions.builders import ahead, attempt, condition, ended_pod, observed, session, status
from unit.sessions.kit import created, message, status_of, told

FULL: Json = {"kind": "RateBudget", "name": "team", "reason": "BudgetFull"}


def shortage(name: str = "team", *, until: datetime | None = None, at_limit: AtLimit = "Queue", exceeds: bool = False) -> Shortage:
    return Shortage(
        budget=BudgetKey("team-a", name), at_limit=at_limit, account="shared", limit="day", resource="cost", amount=Decimal(10), spent=Decimal(9),
        reserved=Decimal(1), need=Decimal(2), until=until, exceeds=exceeds, spread=False,
    )  # fmt: skip


def told_by_budgets(outcome: str, *short: Shortage, before: Json | None = None, spec: Json | None = None, warnings: tuple[Shortage, ...] = ()) -> Observed:
    return replace(observed(session(spec, before)), admission=Verdict(outcome, amounts("2"), short, warnings))


def used_reserve(generation: int = 1) -> Json:
    return status(
        history=[attempt(1, "Failed", "ReservationUsed", **pod_status.counts("0.5"))],
        conditions=[{**condition("Stalled", "True", "ReservationUsed", "it is used up"), "observedGeneration": generation}],
    )


def at_its_limit(reserved: Json) -> Observed:
    item = ended_pod(
        pod_status.failure("BudgetReached"), pod_status.report("0.5", limitReached="cost"), annotations={RESERVED_ANNOTATION: json.dumps(reserved)}
    )
    return observed(pods=[item])


# It waits


@pytest.mark.parametrize("until", [None, ahead(60)])
def test_a_session_without_room_waits_and_says_for_what(until: datetime | None) -> None:
    decided = plan(told_by_budgets(BUDGET_FULL, shortage(until=until)))
    written = status_of(decided)
    assert created(decided) == []
    assert written["waitingFor"] == FULL | ({"until": stamp(until)} if until else {})
    assert told(written)["Ready"] == ("False", "BudgetFull")
    assert "budget team-a/team, account shared, limit day" in message(written)


def test_to_wait_is_no_event_and_the_queue_says_whose_turn_it_is() -> None:
    decided = plan(told_by_budgets(BUDGET_FULL, shortage(until=ahead(60))))
    assert decided.events == ()
    assert decided.look_again is None


@pytest.mark.parametrize(
    ("changes", "short", "writes"),
    [
        ({}, shortage(), False),
        ({"waitingFor": {**FULL, "until": stamp(ahead(5))}}, shortage(until=ahead(60)), False),
        ({"waitingFor": {**FULL, "until": stamp(ahead(5))}}, shortage(), True),
        ({}, shortage(until=ahead(60)), True),
        ({}, shortage("other"), True),
        ({"observedGeneration": 0}, shortage(), True),
        ({"waitingFor": {**FULL, "reason": "SecretMissing"}}, shortage(), True),
    ],
    ids=["as before", "another moment", "no moment any more", "a moment is known now", "another budget", "the spec has changed", "it waited for something else"],
)
def test_who_waits_is_written_to_only_when_what_it_waits_for_has_changed(changes: Json, short: Shortage, writes: bool) -> None:
    before = status(**{"waitingFor": FULL, **changes})
    assert (plan(told_by_budgets(BUDGET_FULL, short, before=before)) != Plan()) is writes


def test_the_budget_that_takes_longest_is_the_one_that_is_named() -> None:
    found = hold(told_by_budgets(BUDGET_FULL, shortage("soon", until=ahead(5)), shortage("late", until=ahead(60))))
    assert isinstance(found, Waiting)
    assert (found.kind, found.name, found.until) == ("RateBudget", "late", ahead(60))


def test_a_session_that_asks_for_more_than_the_limit_needs_a_person_and_waits_for_that_budget_to_change() -> None:
    seen = told_by_budgets(EXCEEDS_BUDGET, shortage(exceeds=True), shortage("other", exceeds=True))
    found = hold(seen)
    assert isinstance(found, Stalled)
    assert (found.reason, "more than the whole limit of 10" in found.message) == ("ExceedsBudget", True)
    assert {("RateBudget", "team"), ("RateBudget", "other")} <= awaited(seen, plan(seen))


def test_a_session_that_stands_in_the_queue_is_not_woken_by_every_write_of_its_budget() -> None:
    seen = told_by_budgets(BUDGET_FULL, shortage())
    assert awaited(seen, plan(seen)) == {("ModelProvider", "default")}


# It is rejected, warned, admitted


def test_a_rejected_session_has_failed_and_says_why() -> None:
    decided = plan(told_by_budgets(BUDGET_REJECTED, shortage(at_limit="Reject")))
    written = status_of(decided)
    assert (written["phase"], written["result"]["error"]["class"]) == ("Failed", "BudgetRejected")
    assert "completionTime" in written
    assert [(event.reason, event.warning) for event in decided.events] == [("BudgetRejected", True)]
    assert created(decided) == []


@pytest.mark.parametrize(("wish", "phase"), [({"suspend": True}, "Suspended"), ({"cancel": True}, "Failed")])
def test_what_the_user_wants_stands_above_a_rejection(wish: Json, phase: str) -> None:
    written = status_of(plan(told_by_budgets(BUDGET_REJECTED, shortage(at_limit="Reject"), spec=wish)))
    assert written["phase"] == phase
    assert "BudgetRejected" not in str(written)


def test_an_admitted_session_starts_with_what_was_reserved_and_hears_of_budgets_that_only_warn() -> None:
    decided = plan(told_by_budgets(ADMITTED, warnings=(shortage(at_limit="Warn"),)))
    assert created(decided)[-1] == "pods"
    assert [(event.reason, "account shared, limit day" in event.message) for event in decided.events] == [("BudgetWarning", True)]
    assert json.loads(decided.create[-1].manifest["metadata"]["annotations"][RESERVED_ANNOTATION])["cost"] == "2"


# Its reserve is used up


def test_an_attempt_that_used_what_budgets_had_reserved_is_held_under_a_name_of_its_own() -> None:
    written = status_of(plan(at_its_limit({"cost": "0.5", "tokens": None, "lowered": True})))
    assert written["phase"] == "Suspended"
    assert told(written)["Stalled"] == ("True", "ReservationUsed")
    assert "set spec.limits" in message(written, "Stalled")


def test_an_attempt_that_used_its_own_limit_has_reached_its_budget() -> None:
    assert told(status_of(plan(at_its_limit({"cost": "0.5", "tokens": None}))))["Stalled"] == ("True", "BudgetReached")


@pytest.mark.parametrize(("generation", "reason"), [(1, "ReservationUsed"), (0, None)], ids=["the same spec", "the spec has changed"])
def test_a_used_reserve_holds_a_session_until_its_spec_changes(generation: int, reason: str | None) -> None:
    found: Any = hold(observed(session(status=used_reserve(generation))))
    assert (found and found.reason) == reason


def test_a_held_session_is_not_written_again() -> None:
    seen = observed(session(status=used_reserve()))
    first = status_of(plan(seen))
    assert first["phase"] == "Suspended"
    assert plan(observed(session(status=first))).status == first


