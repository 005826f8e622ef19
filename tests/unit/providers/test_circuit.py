"""The fleet's circuit breaker: what attempts say, folded into whether further ones may start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from stint.providers.circuit import (
    GOOD,
    PROBE_PATIENCE,
    Breaker,
    Circuit,
    Outcome,
    at,
    claimed,
    counts,
    forgotten,
    next_moment,
    next_state,
    released,
    tried_soon,
)
from stint.providers.scope import WHOLE, Credential, Scope, scopes

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
BREAKER = Breaker(failures=3, window=600, first=30, factor=2, longest=120)
MODEL, SECRET = scopes("claude-x", Credential("team-a", "anthropic"))[1:]


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def failure(uid: str, seconds: float = 0, kind: str = "Overloaded", namespace: str = "team-a", attempt: int = 1) -> Outcome:
    return Outcome(kind, uid, attempt, namespace, after(seconds))


def good(uid: str = "g", seconds: float = 0, attempt: int = 1) -> Outcome:
    return failure(uid, seconds, GOOD, attempt=attempt)


def fold(*outcomes: Outcome, scope: Scope = WHOLE, breaker: Breaker = BREAKER, start: Circuit | None = None, now: float = 0) -> Circuit:
    circuit = start or Circuit()
    for outcome in outcomes:
        circuit = next_state(circuit, outcome, scope, breaker, max(outcome.at, after(now)))
    return circuit


OPENED = fold(failure("a"), failure("b"), failure("c"))
HALF_OPEN = at(OPENED, BREAKER, after(30))
TRIED = claimed(HALF_OPEN, "p", 2, after(31))


def test_it_opens_with_the_last_of_so_many_failures_in_a_row() -> None:
    assert fold(failure("a"), failure("b")).closed
    assert (OPENED.state, OPENED.reason, OPENED.openings, OPENED.since, OPENED.until) == ("Open", "Overloaded", 1, NOW, after(30))


def test_a_good_answer_between_starts_the_count_anew() -> None:
    assert fold(failure("a"), failure("b", 1), good(seconds=2), failure("c", 3), failure("d", 4)).closed
    assert not fold(failure("a"), good(seconds=2), failure("b", 3), failure("c", 4), failure("d", 5)).closed


def test_failures_that_are_long_past_do_not_count() -> None:
    assert fold(failure("a"), failure("b", 300), failure("c", 601)).closed


def test_the_same_attempt_counts_once_however_often_it_is_told() -> None:
    assert fold(*[failure("a")] * 5, failure("b")).closed
    assert not fold(failure("a"), failure("a", attempt=2), failure("a", attempt=3)).closed


def test_the_order_in_which_failures_become_known_does_not_matter() -> None:
    told = (failure("a", 1), failure("b", 2), failure("c", 3))
    assert {fold(*each, now=5).state for each in permutations(told)} == {"Open"}


def test_what_happened_before_its_last_change_is_in_that_change() -> None:
    closed = Circuit(since=after(100))
    assert fold(failure("a", 90), failure("b", 95), failure("c", 100), start=closed, now=120).closed
    assert not fold(failure("a", 101), failure("b", 102), failure("c", 103), start=closed, now=120).closed


def test_while_it_is_open_running_attempts_change_nothing() -> None:
    assert fold(failure("x", 5), good("y", 6), start=OPENED) == OPENED


def test_after_the_wait_it_is_half_open_and_free() -> None:
    assert at(OPENED, BREAKER, after(29)) == OPENED
    assert (HALF_OPEN.state, HALF_OPEN.probe, HALF_OPEN.until, HALF_OPEN.openings) == ("HalfOpen", None, None, 1)


def test_the_probes_good_answer_closes_it() -> None:
    closed = fold(good("p", 40, attempt=2), start=TRIED)
    assert (closed.state, closed.openings, closed.failures, closed.since) == ("Closed", 0, (), after(40))


def test_nobody_elses_answer_decides() -> None:
    assert fold(good("q", 40), good("p", 40, attempt=1), failure("q", 41), start=TRIED) == TRIED


@pytest.mark.parametrize(("openings", "seconds"), [(1, 30), (2, 60), (3, 120), (4, 120), (1000, 120)])
def test_each_opening_in_a_row_is_longer_up_to_a_maximum(openings: int, seconds: float) -> None:
    assert BREAKER.opens_for(openings) == timedelta(seconds=seconds)


def test_a_probe_that_fails_opens_it_for_longer() -> None:
    again = fold(failure("p", 40, "ServerError", attempt=2), start=TRIED)
    assert (again.state, again.openings, again.until, again.reason) == ("Open", 2, after(100), "ServerError")
    assert fold(failure("p", 41, attempt=2), start=again) == again, "told twice"


def test_a_probe_that_failed_and_is_answered_after_all_closes_it() -> None:
    again = fold(failure("p", 40, attempt=2), start=TRIED)
    assert fold(good("p", 50, attempt=2), start=again).closed


def test_a_probe_without_an_answer_has_failed_after_its_time() -> None:
    claimed_at = after(31)
    assert at(TRIED, BREAKER, claimed_at + PROBE_PATIENCE - timedelta(seconds=1)) == TRIED
    again = at(TRIED, BREAKER, claimed_at + PROBE_PATIENCE)
    assert (again.state, again.openings) == ("Open", 2)


def test_a_probe_that_tries_no_more_leaves_its_place() -> None:
    assert released(TRIED, "p").probe is None
    assert released(TRIED, "q") == TRIED
    assert released(OPENED, "p") == OPENED


def test_a_refused_credential_opens_its_own_circuit_at_once() -> None:
    assert fold(failure("a", kind="AuthFailed"), scope=SECRET).state == "Open"
    assert fold(good(seconds=5), failure("a", 4, "AuthFailed"), scope=SECRET, now=6).closed, "it was good later than that"
    assert fold(failure("a", kind="RateLimited"), failure("b", kind="RateLimited"), scope=SECRET).closed
    assert not fold(*(failure(uid, kind="RateLimited") for uid in "abc"), scope=SECRET).closed


def test_what_counts_for_which_circuit() -> None:
    kinds = ("Overloaded", "ServerError", "ProviderUnreachable", "RateLimited", "AuthFailed", "InvalidRequest", "BudgetReached", "MaxTurns", GOOD)
    provider = {"Overloaded", "ServerError", "ProviderUnreachable", GOOD}
    assert {kind for kind in kinds if counts(WHOLE, kind)} == {kind for kind in kinds if counts(MODEL, kind)} == provider
    assert {kind for kind in kinds if counts(SECRET, kind)} == {"RateLimited", "AuthFailed", GOOD}


def test_a_shared_provider_as_a_whole_is_stopped_only_by_more_than_one_namespace() -> None:
    shared = Breaker(failures=3, shared=True)
    many = [failure(f"a{number}", number) for number in range(20)]
    assert fold(*many, breaker=shared).closed
    assert not fold(*many, scope=MODEL, breaker=shared).closed
    assert not fold(*many, failure("b", 30, namespace="team-b"), breaker=shared).closed


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_the_longest() -> None:
    past = after(-86400)
    assert at(OPENED, BREAKER, past).until == past + timedelta(seconds=120)
    assert at(TRIED, BREAKER, past).probe is not None
    assert at(at(TRIED, BREAKER, past), BREAKER, past + PROBE_PATIENCE).state == "Open"


def test_when_to_look_again() -> None:
    assert next_moment(Circuit()) is None
    assert next_moment(OPENED) == after(30)
    assert next_moment(HALF_OPEN) is None
    assert next_moment(TRIED) == after(31) + PROBE_PATIENCE


def test_a_changed_provider_may_be_tried_at_once() -> None:
    assert at(tried_soon(OPENED, after(1)), BREAKER, after(1)).state == "HalfOpen"
    assert tried_soon(TRIED, after(1)) == TRIED


def test_a_circuit_of_which_nothing_matters_any_more_is_forgotten() -> None:
    assert forgotten(Circuit(since=NOW), BREAKER, after(3601))
    assert not forgotten(Circuit(since=NOW), BREAKER, after(3599))
    assert not forgotten(OPENED, BREAKER, after(10**6))
