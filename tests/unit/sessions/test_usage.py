"""What a session is charged: every attempt once, estimates never too low, and the journal's figures instead of estimates."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json
from stint.sessions.plan import plan
from stint.sessions.pod_facts import vanished
from stint.sessions.reports import Usage
from stint.sessions.resolve import Resolved
from stint.sessions.usage import attempt_usage, known, minus, money, plus, remaining, reservation, used
from unit.sessions.builders import (
    Gone,
    ago,
    attempt,
    ended_pod,
    facts,
    observed,
    pod,
    running_pod,
    running_status,
    session,
    status,
)
from unit.sessions.kit import created, status_of

REPORT = pod_status.report
DONE = pod_status.result()
TENFOLD: Json = {"limits": {"cost": "50"}}
EPHEMERAL: Json = {"workspace": {"ephemeral": True}}


def terms(spec: Json | None = None) -> Resolved:
    found = observed(session(spec)).resolved
    assert found is not None
    return found


def given(cost: str, tokens: int | None = None) -> Json:
    """The annotation that says what a pod may use at most."""
    return {"stint.dev/reserved": json.dumps({"cost": cost, "tokens": tokens})}


def settled(item: Json | Gone, spec: Json | None = None, before: Json | None = None) -> Json:
    return status_of(plan(observed(session(spec, status=before or running_status(1)), pods=[item])))


def cost(status: Json) -> Decimal:
    return Decimal(status["usage"]["cost"])


def previous(uid: str = "pod-x", figure: str = "0.5", number: int = 1, **more: Any) -> list[Json]:
    """What the journal of a volume says of an earlier pod."""
    return [{"pod": uid, "attempt": number, "usage": {**pod_status.counts(figure), **more}}]


# Arithmetic


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0"), ("0.0331", "0.0331"), ("1.50", "1.5"), ("10", "10"), ("100.00", "100"), ("1E-7", "0.0000001"), ("1E+3", "1000"), ("0E-9", "0")],
)
def test_money_is_written_without_exponents_and_needless_zeros(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text


def test_usage_is_added_up_field_by_field() -> None:
    one = Usage(1, 2, 3, 4, 5, Decimal("0.1"))
    assert plus(one, Usage(10, 20, 30, 40, 50, Decimal("0.2"), estimated=True)) == Usage(11, 22, 33, 44, 55, Decimal("0.3"), estimated=True)
    assert plus(one, one).estimated is False


def test_usage_never_falls_below_nothing() -> None:
    one = Usage(1, 2, 3, 4, 5, Decimal("0.1"), estimated=True)
    assert minus(one, Usage(2, 1, 5, 1, 6, Decimal("0.3"))) == Usage(0, 1, 0, 3, 0, Decimal(0), estimated=True)


def test_all_four_kinds_of_tokens_count() -> None:
    assert Usage(9, 1, 20, 300, 4000).tokens == 4321


def test_what_is_used_stands_in_the_status() -> None:
    assert used({}) == Usage()
    assert used({"usage": pod_status.counts("0.25")}).cost == Decimal("0.25")


def test_what_is_known_leaves_estimates_out() -> None:
    history = [attempt(1, cost="1", requests=0), attempt(2, cost="2", estimated=True, requests=0, inputTokens=70)]
    before = status(history=history, usage={**pod_status.counts("3"), "inputTokens": 170, "estimated": True})
    found = known(before)
    assert (found.cost, found.inputTokens) == (Decimal(1), 100)


@pytest.mark.parametrize(
    ("limits", "usage", "left"),
    [
        ({}, Usage(), (Decimal("5.00"), None)),
        ({"cost": "2"}, Usage(cost=Decimal("0.5")), (Decimal("1.5"), None)),
        ({"cost": "2"}, Usage(cost=Decimal(3)), (Decimal(0), None)),
        ({"cost": "2", "tokens": 100}, Usage(inputTokens=30, outputTokens=30), (Decimal(2), 40)),
        ({"cost": "2", "tokens": 100}, Usage(inputTokens=300), (Decimal(2), 0)),
    ],
)
def test_limits_leave_what_was_not_used(limits: Json, usage: Usage, left: tuple[Decimal, int | None]) -> None:
    assert remaining(terms({"limits": limits}), usage) == left


# The most that a lost attempt can have used

RESERVATIONS: list[Any] = [
    pytest.param(given("1.25"), {}, Usage(cost=Decimal("1.25")), id="what its pod was given"),
    pytest.param(given("1.25", 900), {}, Usage(cost=Decimal("1.25"), inputTokens=900), id="tokens too"),
    pytest.param({}, {}, Usage(cost=Decimal("5.00")), id="a pod that says nothing: what the limits leave"),
    pytest.param({}, {"limits": {"tokens": 80}}, Usage(cost=Decimal("5.00"), inputTokens=80), id="a pod that says nothing: tokens that the limits leave"),
    pytest.param(given("10"), {"limits": {"cost": "1"}}, Usage(cost=Decimal(10)), id="more than a limit that was lowered meanwhile"),
]


@pytest.mark.parametrize(("annotations", "spec", "expected"), RESERVATIONS)
def test_a_lost_attempt_is_charged_all_that_it_could_use(annotations: Json, spec: Json, expected: Usage) -> None:
    lost = vanished(facts(running_pod(annotations=annotations)))
    found = reservation(running_status(1), lost, terms(spec))
    assert (found.cost, found.inputTokens, found.estimated) == (expected.cost, expected.inputTokens, True)


def test_limits_that_were_lowered_while_nobody_looked_lower_no_estimate() -> None:
    """The pod was lost while the controller was away, and with it what it was given; the status still says it."""
    before = status_of(plan(observed(session(), pods=[running_pod(annotations=given("5"))])))
    assert before["reserved"] == {"cost": "5"}
    found = reservation(before, facts(running_pod()), terms({"limits": {"cost": "0.2"}}))
    assert found.cost == Decimal(5)


ESTIMATED = status(
    history=[attempt(1, "Disrupted", "PodLost", estimated=True, requests=0, inputTokens=100, outputTokens=0, cost="2")],
    usage={**pod_status.counts("2", requests=0, input_tokens=100, output_tokens=0), "estimated": True},
)


def test_with_a_volume_an_estimate_before_is_part_of_what_the_next_pod_was_given() -> None:
    found = reservation(ESTIMATED, facts(running_pod(2, annotations=given("5", 1000))), terms())
    assert (found.cost, found.inputTokens) == (Decimal(3), 900)


def test_without_a_volume_an_estimate_before_is_not() -> None:
    found = reservation(ESTIMATED, facts(running_pod(2, annotations=given("3", 900))), terms(EPHEMERAL))
    assert (found.cost, found.inputTokens) == (Decimal(3), 900)


def test_an_estimate_that_used_everything_leaves_nothing_to_a_second_one() -> None:
    found = reservation(ESTIMATED, facts(running_pod(2, annotations=given("1", 50))), None)
    assert (found.cost, found.inputTokens) == (Decimal(0), 0)


def test_a_pod_that_says_nothing_of_a_session_that_cannot_be_read_is_charged_nothing() -> None:
    found = reservation({}, facts(running_pod()), None)
    assert (found.cost, found.inputTokens, found.estimated) == (Decimal(0), 0, True)


def test_only_an_agent_that_never_ran_is_free() -> None:
    assert attempt_usage(None, facts(pod(pod_status.starting())), {}, terms()) == Usage()
    assert attempt_usage(None, facts(running_pod()), {}, terms()).estimated is True


# Charging


def test_a_session_is_charged_what_the_gateway_reports() -> None:
    found = settled(ended_pod(DONE, REPORT("0.25")))
    assert found["usage"] == {
        **pod_status.counts("0.25"), "estimated": False, "turns": 1, "byModel": [{"model": "claude-x", **pod_status.counts("0.25")}],
    }  # fmt: skip


def test_attempts_are_added_up() -> None:
    first = settled(ended_pod(pod_status.failure("Overloaded"), REPORT("0.25")))
    second = settled(ended_pod(DONE, REPORT("0.5", model="claude-y"), 2), before=first)["usage"]
    assert (second["cost"], second["requests"], second["turns"]) == ("0.75", 2, 2)
    assert [(one["model"], one["cost"]) for one in second["byModel"]] == [("claude-y", "0.5"), ("claude-x", "0.25")]


def test_the_same_model_is_one_entry() -> None:
    first = settled(ended_pod(pod_status.failure("Overloaded"), REPORT("0.25")))
    models = settled(ended_pod(DONE, REPORT("0.5"), 2), before=first)["usage"]["byModel"]
    assert [(one["model"], one["cost"], one["requests"]) for one in models] == [("claude-x", "0.75", 2)]


def test_the_dearest_models_are_kept() -> None:
    models = {f"m{number}": pod_status.counts(str(number)) for number in range(40)}
    report = json.dumps({"version": 1, "usage": {**pod_status.counts("780"), "byModel": models}})
    kept = [one["model"] for one in settled(ended_pod(DONE, report))["usage"]["byModel"]]
    assert kept == [f"m{number}" for number in range(39, 7, -1)]


def test_the_agents_word_costs_nothing() -> None:
    forged = pod_status.result(usage={"cost": "0"}, cost="0")
    assert cost(settled(ended_pod(forged, ""))) == 5


# Attempts that are not free


LOST: list[Any] = [
    pytest.param(pod(pod_status.lost_containers()), id="kubelet lost its containers"),
    pytest.param(pod(pod_status.status("Failed", reason="Evicted", message="low on memory")), id="evicted without container statuses"),
    pytest.param(Gone(running_pod()), id="gone"),
    pytest.param(ended_pod(DONE, "no report"), id="its report cannot be read"),
]


@pytest.mark.parametrize("item", LOST)
def test_an_attempt_without_a_report_is_estimated(item: Json | Gone) -> None:
    found = settled(item)
    assert found["usage"]["estimated"] is True
    assert found["history"][-1]["estimated"] is True
    assert cost(found) == 5


def test_an_attempt_lost_with_its_node_while_the_controller_was_down_is_not_free() -> None:
    told = status_of(plan(observed(session(status=running_status(1)), pods=[running_pod(deleting=ago(60))])))
    assert status_of(plan(observed(session(status=told))))["usage"]["estimated"] is True


def test_a_stale_report_of_a_restarted_gateway_is_not_taken_for_the_whole() -> None:
    last = pod_status.terminated(1, REPORT("0.01"), started=ago(3600), finished=ago(3500))
    found = settled(Gone(pod(pod_status.at_work(ago(3600), gateway_last=last), created=ago(3600))))
    assert found["usage"]["estimated"] is True
    assert cost(found) == 5


@pytest.mark.parametrize(
    ("annotations", "least"), [pytest.param({}, 2, id="its own limit"), pytest.param(given("20"), 20, id="what its pod was given")]
)
def test_an_attempt_that_ends_while_its_profile_is_missing_is_not_free(annotations: Json, least: int) -> None:
    spec = {"profileRef": {"name": "bug-fixer"}, "limits": {"cost": "2"}}
    found = settled(Gone(running_pod(annotations=annotations)), spec)
    assert found["usage"]["estimated"] is True
    assert cost(found) == least


def test_an_estimate_is_never_below_what_the_pod_was_given() -> None:
    assert cost(settled(Gone(running_pod(annotations=given("10"))), {"limits": {"cost": "1"}})) == 10


def test_an_attempt_is_estimated_as_the_gateway_estimated_it() -> None:
    assert settled(ended_pod(DONE, REPORT("0.25", estimated=True)))["usage"]["estimated"] is True


# The journal of a volume


def test_a_pod_that_nobody_saw_is_charged_once_however_often_the_journal_names_it() -> None:
    before = running_status(2, history=[attempt(1)])
    first = settled(ended_pod(pod_status.failure("ServerError"), REPORT("0.25", previous=previous()), 2), TENFOLD, before)
    assert cost(first) == Decimal("0.75")
    assert first["journaledPods"] == ["pod-x"]
    second = settled(ended_pod(pod_status.failure("ServerError"), REPORT("0.25", previous=previous()), 3), TENFOLD, first)
    assert cost(second) == Decimal("1.00")


def test_an_estimate_is_replaced_by_the_journal() -> None:
    lost = status_of(plan(observed(session({"limits": {"cost": "10"}}, status=running_status(1)))))
    assert cost(lost) == 10
    assert lost["usage"]["estimated"] is True
    found = settled(ended_pod(DONE, REPORT("0.25", previous=previous("pod-1")), 2), {"limits": {"cost": "10"}}, lost)
    assert cost(found) == Decimal("0.75")
    assert found["usage"]["estimated"] is False
    assert (found["history"][0]["cost"], found["history"][0]["estimated"]) == ("0.5", False)
    assert "journaledPods" not in found


def test_an_estimate_that_has_left_the_history_keeps_its_mark() -> None:
    before = running_status(12, history=[attempt(number) for number in range(2, 12)], usage={**pod_status.counts("1"), "estimated": True})
    found = settled(ended_pod(DONE, REPORT(previous=previous("pod-x", number=11)), 12), before=before)
    assert found["usage"]["estimated"] is True


def test_figures_that_the_journal_itself_estimated_stay_marked() -> None:
    found = settled(ended_pod(DONE, REPORT(previous=previous("pod-1", estimated=True)), 2), before=running_status(2) | ESTIMATED | {"attempt": 2})
    assert found["history"][0]["estimated"] is True
    assert found["usage"]["estimated"] is True
    assert cost(found) == Decimal("0.75")


def test_an_attempt_that_the_journal_knows_to_be_dearer_is_corrected() -> None:
    first = settled(ended_pod(pod_status.failure("Overloaded"), REPORT("0.25")))
    found = settled(ended_pod(DONE, REPORT("0.25", previous=previous("pod-1", "0.75")), 2), before=first)
    assert cost(found) == 1
    assert found["history"][0]["cost"] == "0.75"


def test_an_attempt_that_the_journal_knows_to_be_cheaper_stays() -> None:
    first = settled(ended_pod(pod_status.failure("Overloaded"), REPORT("0.25")))
    assert cost(settled(ended_pod(DONE, REPORT("0.25", previous=previous("pod-1", "0.1")), 2), before=first)) == Decimal("0.5")


def test_an_attempt_whose_report_was_read_is_not_charged_again_by_the_journal() -> None:
    first = settled(ended_pod(pod_status.failure("Overloaded"), REPORT("0.25")))
    found = settled(ended_pod(DONE, REPORT("0.25", previous=previous("pod-1", "0.25")), 2), before=first)
    assert cost(found) == Decimal("0.5")


def test_a_pod_that_let_nothing_through_is_not_remembered() -> None:
    found = settled(ended_pod(DONE, REPORT(previous=previous(requests=0)), 2), before=running_status(2, history=[attempt(1)]))
    assert cost(found) == Decimal("0.25")
    assert "journaledPods" not in found


def test_a_pod_older_than_the_history_is_not_charged_again() -> None:
    history = [attempt(number, "Disrupted", "Evicted") for number in range(2, 12)]
    found = settled(ended_pod(DONE, REPORT(previous=previous("pod-1", number=1)), 12), before=running_status(12, history=history))
    assert cost(found) == Decimal("0.25")


def test_without_a_journal_nothing_before_is_touched() -> None:
    found = settled(ended_pod(DONE, REPORT("0.25"), 2), before=running_status(2) | ESTIMATED | {"attempt": 2})
    assert cost(found) == Decimal("2.25")
    assert found["usage"]["estimated"] is True


def test_money_is_spent_up_to_the_limit_and_no_further() -> None:
    first = settled(ended_pod(pod_status.failure("Overloaded"), REPORT("1")), {"limits": {"cost": "1.5"}})
    first["nextRetryTime"] = pod_status.stamp(ago(1))
    decided = plan(observed(session({"limits": {"cost": "1.5"}}, status=first)))
    assert json.loads(decided.create[-1].manifest["metadata"]["annotations"]["stint.dev/reserved"])["cost"] == "0.5"
    second = settled(ended_pod(pod_status.failure("Overloaded"), REPORT("0.5"), 2), {"limits": {"cost": "1.5"}}, first)
    assert created(plan(observed(session({"limits": {"cost": "1.5"}}, status=second)))) == []


# Odd reports

ODD: list[Any] = [
    pytest.param({"usage": {"cost": "NaN"}}, id="a cost that is no number"),
    pytest.param({"usage": {"cost": "Infinity"}}, id="an infinite cost"),
    pytest.param({"usage": {"cost": "-1"}}, id="a negative cost"),
    pytest.param({"usage": {"cost": "much"}}, id="a cost in words"),
    pytest.param({"usage": {"cost": "1", "byModel": {"m": 3}}}, id="a model's usage that is a number"),
    pytest.param({"usage": {"cost": "1", "byModel": 3}}, id="models that are a number"),
    pytest.param({"usage": {"cost": "1"}, "previous": 3}, id="a journal that is a number"),
    pytest.param({"usage": {"cost": "1"}, "limitReached": ["x"]}, id="a limit that is a list"),
    pytest.param({"usage": {"cost": "1", "byModel": {"": {"cost": "1"}}}}, id="a model without a name"),
    pytest.param({"usage": {"cost": "1", "byModel": {"m" * 300: {"cost": "1"}}}}, id="a model with a very long name"),
    pytest.param({"usage": {"requests": -1, "inputTokens": True, "outputTokens": "3", "cacheReadTokens": 2**63}}, id="counts that are none"),
]


@pytest.mark.parametrize("document", ODD)
def test_an_odd_report_is_settled(document: Json) -> None:
    found = settled(ended_pod(pod_status.failure("Overloaded"), json.dumps({"version": 1, **document})))
    assert len(found["history"]) == 1
