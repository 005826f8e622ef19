"""Budgets and sessions that come, change and go, and clocks that jump: the same sessions always give the same sums."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from stint.budgets.amounts import amounts
from stint.budgets.facts import Running
from stint.budgets.ledger import Ledger
from stint.budgets.selection import Subject
from unit.budgets.kit import (
    BUSY,
    CONCURRENCY_1,
    CONCURRENCY_2,
    COST_10_DAILY,
    COST_10_HOUR,
    DAY,
    NOW,
    RATE,
    STARTS,
    SYSTEM,
    Bench,
    after,
    budget,
    meter,
    rebuilt,
    relabelled,
    session,
    settled,
    would_start,
)  # fmt: skip

HOUR = ("team", "shared", "hour")


# Deleted sessions


def test_usage_of_a_deleted_session_stays_until_its_window_is_over() -> None:
    bench = Bench(budget(COST_10_HOUR, STARTS, per=["Namespace"]))
    bench.ledger.observe(session("s", settled={1: settled("4"), 2: settled("3", start=100, end=200)}), after(200))

    parts = bench.ledger.carry("s", after(300))

    assert {key.name for key, _ in parts} == {"team"}
    assert bench.ledger.carry("s", after(300)) == set()
    assert bench.sums(after(300))["team", "Namespace=a", "hour"] == (7, 0)
    assert bench.sums(after(3720))["team", "Namespace=a", "hour"] == (3, 0)
    assert rebuilt_sums(bench, 300) == bench.sums(after(300))
    assert rebuilt_sums(bench, 3720) == bench.sums(after(3720))


def rebuilt_sums(bench: Bench, seconds: float, *sessions: Any) -> Any:
    found = Bench()
    found.ledger = rebuilt(bench, sessions, after(seconds))
    return found.sums(after(seconds))


def test_a_session_that_is_folded_and_not_gone_yet_is_counted_once() -> None:
    bench = Bench(budget(COST_10_HOUR))
    seen = session("s", settled={1: settled("4")})
    bench.ledger.observe(seen, after(60))
    bench.ledger.carry("s", after(70))

    bench.ledger.observe(seen, after(80))

    assert bench.sums(after(80)) == {HOUR: (4, 0)}
    assert rebuilt_sums(bench, 80, seen) == {HOUR: (4, 0)}
    bench.ledger.forget("s", after(90))
    assert bench.sums(after(90)) == {HOUR: (4, 0)}
    assert bench.ledger.carried(budget().key).folded == {}


def test_a_session_deleted_in_mid_run_counts_as_having_used_all_that_was_set_aside() -> None:
    bench = Bench(budget(COST_10_HOUR, CONCURRENCY_1))
    bench.admit("s", left=amounts("3"))
    bench.ledger.carry("s", after(60))
    assert bench.sums(after(60)) == {HOUR: (3, 0)}


def test_a_session_that_vanishes_leaves_its_usage_behind() -> None:
    bench = Bench(budget(COST_10_HOUR))
    bench.known("s", settled={1: settled("4", end=0)})
    assert bench.ledger.forget("s", NOW)
    assert bench.sums() == {HOUR: (4, 0)}
    assert bench.ledger.forget("unknown", NOW) == set()


def test_a_folded_rate_is_kept_by_the_next_leader() -> None:
    bench = Bench(budget(RATE))
    bench.admit("s")
    bench.end("s", at=after(1))
    bench.ledger.carry("s", after(2))
    again = rebuilt(bench, [], after(3))
    assert would_start(again, Subject("a"), after(3)).until in (after(10), after(11))


# Budgets come, change and go


def test_an_added_budget_counts_what_was_there_before() -> None:
    bench = Bench()
    bench.admit("running", left=amounts("2"))
    bench.known("old", settled={1: settled("3", end=0)})
    bench.ledger.put_budget(budget(COST_10_DAILY, CONCURRENCY_2), NOW)
    assert bench.sums() == {DAY: (3, 2), BUSY: (0, 1)}


def test_an_attempt_from_before_the_limit_counts_as_the_reserve() -> None:
    bench = Bench()
    bench.admit("running")
    bench.ledger.put_budget(budget(COST_10_DAILY), NOW)
    assert bench.sums() == {DAY: (0, 1)}
    bench.end("running", "0.5")
    assert bench.sums() == {DAY: (Decimal("0.5"), 0)}


def test_a_lowered_limit_stops_new_attempts_and_a_raise_lets_them_start() -> None:
    bench = Bench(budget(CONCURRENCY_2))
    bench.admit("1")
    bench.admit("2")
    bench.ledger.put_budget(budget(CONCURRENCY_1), NOW)
    bench.end("1")
    assert not bench.admit("3").admitted
    bench.ledger.put_budget(budget(CONCURRENCY_2), NOW)
    assert bench.admit("3").admitted
    assert bench.sums() == {BUSY: (0, 2)}


def test_an_unchanged_budget_is_left_alone() -> None:
    bench = Bench(budget(COST_10_DAILY))
    assert not bench.ledger.put_budget(budget(COST_10_DAILY), NOW)
    assert bench.ledger.put_budget(budget(COST_10_DAILY, atLimit="Reject"), NOW)


def test_a_deleted_budget_limits_nothing() -> None:
    bench = Bench(budget(CONCURRENCY_1))
    bench.admit("1")
    bench.ledger.remove_budget(budget().key)
    bench.ledger.remove_budget(budget().key)
    assert bench.admit("2").admitted
    bench.end("1")
    assert bench.sums() == {}


def test_an_edited_rate_goes_on_from_the_starts_there_were() -> None:
    bench = Bench(budget(RATE))
    bench.admit("1")
    bench.ledger.put_budget(budget({**RATE, "limit": "12"}), after(1))
    assert bench.admit("2", now=after(2)).until == after(5)


def test_an_edited_window_takes_over_what_deleted_sessions_used() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.known("s", settled={1: settled("4", end=0)})
    bench.ledger.carry("s", NOW)
    bench.ledger.put_budget(budget(COST_10_HOUR, per=["Namespace"]), after(60))
    assert bench.sums(after(60)) == {("team", "Namespace=a", "hour"): (4, 0)}


# Sessions change


def test_a_relabelled_session_moves_with_all_it_used() -> None:
    bench = Bench(budget(COST_10_HOUR, CONCURRENCY_1, per=["Label:team"]))
    seen = session("s", running=Running(2, NOW, amounts("2")), settled={1: settled("3", end=0)})
    bench.ledger.observe(relabelled(seen, team="a"), NOW)
    bench.ledger.observe(relabelled(seen, team="b"), NOW)
    assert bench.sums() == {("team", "Label:team=b", "hour"): (3, 2), ("team", "Label:team=b", "busy"): (0, 1)}


def test_accounts_that_nobody_needs_are_closed() -> None:
    bench = Bench(budget(COST_10_HOUR, per=["User"]))
    for number in range(100):
        bench.admit(str(number), user=f"user-{number}")
        bench.end(str(number), "0.01")
        bench.ledger.carry(str(number), NOW)
    bench.ledger.sweep(budget().key, after(60))
    assert len(list(bench.ledger.accounts(budget().key))) == 100
    bench.ledger.sweep(budget().key, after(3700))
    assert list(bench.ledger.accounts(budget().key)) == []


def test_an_account_that_was_closed_opens_again() -> None:
    bench = Bench(budget(CONCURRENCY_1))
    bench.admit("s")
    bench.end("s")
    bench.ledger.forget("s", NOW)
    bench.ledger.sweep(budget().key, NOW)
    assert bench.admit("t").admitted
    assert not bench.admit("u").admitted


# The same sessions give the same ledger


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_in_which_sessions_are_seen_does_not_matter(order: int) -> None:
    bench = Bench(budget(COST_10_HOUR, CONCURRENCY_2, RATE, STARTS, per=["Namespace"]))
    sessions = [
        session("1", "a", settled={1: settled("1"), 2: settled("2", start=70, end=100)}),
        session("2", "b", settled={1: settled("1", start=30, end=80)}),
        session("3", "a", running=Running(1, after(90), amounts("2"))),
    ]
    for each in sessions[::order]:
        bench.ledger.observe(each, after(120))
    assert rebuilt_sums(bench, 120, *sessions) == bench.sums(after(120))


# Clocks


def test_usage_from_the_future_counts_from_now_on() -> None:
    """A clock was a year ahead when the attempt ended."""
    bench = Bench(budget(COST_10_HOUR))
    ahead = session("s", settled={1: settled("4", start=364 * 86400, end=365 * 86400)})
    bench.ledger.observe(ahead, NOW)
    assert bench.sums() == {HOUR: (4, 0)}
    bench.ledger.observe(ahead, after(1800))
    assert bench.sums(after(1800)) == {HOUR: (4, 0)}
    assert bench.sums(after(3700)) == {}, "seen again, it does not begin anew"


def test_a_clock_that_jumps_ahead_and_back_loses_nothing() -> None:
    bench = Bench(budget(COST_10_HOUR))
    bench.known("s", settled={1: settled("4", end=0)})
    bench.admit("t", left=amounts("2"), now=after(365 * 86400))
    assert bench.sums(after(10)) == {HOUR: (4, 2)}


def test_two_ledgers_share_nothing() -> None:
    one, other = Bench(budget(COST_10_DAILY)), Bench(budget(COST_10_DAILY))
    one.admit("s")
    assert other.sums() == {}
    assert "s" in one.ledger
    assert "s" not in other.ledger
    assert isinstance(one.ledger, Ledger)
    assert budget().key.namespace == SYSTEM


def test_amounts_stay_exact() -> None:
    bench = Bench(budget(COST_10_DAILY))
    for number in range(100):
        bench.admit(str(number), left=amounts("0.1"))
    assert meter(bench.account(), "day").reserved == 10
    assert not bench.admit("more", left=amounts("0.000000001")).admitted
    bench.ledger.observe(replace(session("0"), settled={1: settled("0.1", end=0)}), NOW)
    assert bench.sums() == {DAY: (Decimal("0.1"), Decimal("9.9"))}
