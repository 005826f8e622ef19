"""The ledger: what is reserved, spent, and refused; and that the same sessions always give the same sums."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from stint.budgets.amounts import NOTHING, amounts
from stint.budgets.budget import Budget
from stint.budgets.facts import Running, Settled
from stint.budgets.ledger import Ledger, NotAdmissible
from stint.budgets.selection import Subject
from unit.budgets.kit import (
    CONCURRENCY_1,
    CONCURRENCY_2,
    COST_10_DAILY,
    COST_10_HOUR,
    NOW,
    SYSTEM,
    TOKENS_1000_HOUR,
    Bench,
    after,
    budget,
    meter,
    rebuilt,
    relabelled,
    session,
    settled,
    used,
)  # fmt: skip

DAY = ("team", "shared", "day")
HOUR = ("team", "shared", "hour")
BUSY = ("team", "shared", "busy")
RATE = {"name": "rate", "resource": "sessions", "limit": "6", "window": "1m"}
STARTS = {"name": "starts", "resource": "sessions", "limit": "2", "calendar": "Daily"}


# What is asked for


@pytest.mark.parametrize(
    ("left", "budgets", "request_"),
    [
        (NOTHING, [budget(COST_10_DAILY)], amounts("1")),
        (amounts("2.5"), [budget(COST_10_DAILY)], amounts("2.5")),
        (amounts(tokens=7), [budget(COST_10_DAILY)], amounts("1", 7)),
        (NOTHING, [budget(CONCURRENCY_1)], NOTHING),
        (NOTHING, [budget(COST_10_DAILY), budget(COST_10_DAILY, name="small", reserve={"cost": "0.25"})], amounts("0.25")),
        (NOTHING, [budget(COST_10_DAILY), budget(CONCURRENCY_1, name="small", reserve={"cost": "0.25"})], amounts("1")),
        (NOTHING, [budget(TOKENS_1000_HOUR, {"name": "out", "resource": "outputTokens", "limit": "500", "window": "1h"})], amounts(None, 100, None, 20)),
        (amounts(tokens=5), [budget({"name": "out", "resource": "outputTokens", "limit": "500", "window": "1h"})], amounts(None, 5, None, 5)),
    ],
    ids=[
        "the reserve", "what the session leaves", "a limit of the session that no budget has", "nothing that is paid for", "the smallest reserve",
        "no reserve of a budget that does not limit it", "each resource by itself", "no more output than all tokens",
    ],
)  # fmt: skip
def test_a_request_is_what_the_session_leaves_else_the_smallest_reserve(left: Any, budgets: list[Budget], request_: Any) -> None:
    assert Bench(*budgets).admit("s", left=left).request == request_


# Reserving and settling


def test_an_admitted_attempt_is_reserved_and_a_settled_one_spent() -> None:
    bench = Bench(budget(COST_10_DAILY, CONCURRENCY_2, TOKENS_1000_HOUR))

    assert bench.admit("s", left=amounts("3", 200)).admitted
    assert bench.sums() == {DAY: (0, 3), BUSY: (0, 1), ("team", "shared", "tokens"): (0, 200)}

    bench.ledger.settle("s", 1, Settled(NOW, after(60), used("1.25", 90)), after(60))
    assert bench.sums(after(60)) == {DAY: (Decimal("1.25"), 0), ("team", "shared", "tokens"): (90, 0)}


@pytest.mark.parametrize(("asked", "admitted"), [("4", True), ("4.000000001", False)])
def test_spent_and_reserved_and_request_are_at_most_the_limit(asked: str, admitted: bool) -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.ledger.observe(session("old", settled={1: settled("3")}), after(60))
    bench.admit("running", left=amounts("3"), now=after(60))

    verdict = bench.admit("s", left=amounts(asked), now=after(60))

    assert verdict.admitted is admitted
    assert admitted or verdict.until == after(14 * 3600), "at midnight"


def test_every_account_must_have_room() -> None:
    bench = Bench(budget(COST_10_DAILY), budget(CONCURRENCY_1, name="mine", namespace="a"))
    assert bench.admit("s1").admitted
    assert bench.admit("other", "b").admitted
    refused = bench.admit("s2")
    assert [shortage.budget.name for shortage in refused.shortages] == ["mine"]
    assert bench.sums()[DAY] == (0, 2), "nothing is reserved anywhere for a session that is refused"


def test_each_value_of_per_has_an_account_of_its_own() -> None:
    bench = Bench(budget(CONCURRENCY_1, per=["Namespace", "User"]))
    assert bench.admit("1", "a", user="alice").admitted
    assert bench.admit("2", "a", user="bob").admitted
    assert bench.admit("3", "b", user="alice").admitted
    assert not bench.admit("4", "a", user="alice").admitted


def test_asking_again_for_an_admitted_attempt_changes_nothing() -> None:
    bench = Bench(budget(COST_10_DAILY))
    first = bench.admit("s", left=amounts("3"))
    again = bench.admit("s", left=amounts("9"), now=after(5))
    assert again.request == first.request
    assert bench.sums() == {DAY: (0, 3)}


def test_what_cannot_be_admitted_raises() -> None:
    bench = Bench(budget(COST_10_DAILY))
    with pytest.raises(NotAdmissible, match="not known"):
        bench.ledger.admit("s", 1, NOTHING, NOW)
    bench.admit("s")
    with pytest.raises(NotAdmissible, match="another one runs"):
        bench.ledger.admit("s", 2, NOTHING, NOW)
    bench.end("s")
    with pytest.raises(NotAdmissible, match="has ended"):
        bench.ledger.admit("s", 1, NOTHING, NOW)


def test_a_preview_and_a_question_have_no_effect() -> None:
    bench = Bench(budget(COST_10_DAILY, per=["Namespace"]))
    bench.known("s")
    for _ in range(3):
        assert bench.ledger.preview(Subject("new"), NOTHING, NOW).admitted
        assert bench.ledger.ask("s", amounts("10"), NOW).admitted
    assert bench.sums() == {}
    assert [account.name for account in bench.ledger.accounts(budget().key)] == ["Namespace=a"]


def test_a_released_attempt_was_never_there() -> None:
    bench = Bench(budget(COST_10_DAILY, CONCURRENCY_1, STARTS))
    bench.admit("s")
    bench.ledger.release("s", 1)
    bench.ledger.release("s", 1)
    bench.ledger.release("unknown", 1)
    assert bench.sums() == {}
    assert bench.admit("s", attempt=1).admitted


# Exactly once


def test_settling_twice_counts_once_and_better_figures_replace_the_first() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.admit("s", left=amounts("3"))
    for cost in ("3", "3", "1.5"):
        bench.ledger.settle("s", 1, Settled(NOW, after(60), used(cost)), after(60))
    assert bench.sums(after(60)) == {DAY: (Decimal("1.5"), 0)}


def test_seeing_a_session_again_changes_nothing() -> None:
    bench = Bench(budget(COST_10_DAILY, CONCURRENCY_2, STARTS))
    seen = session("s", running=Running(2, after(100), amounts("2")), settled={1: settled("3")})
    for _ in range(3):
        bench.ledger.observe(seen, after(200))
    assert bench.sums(after(200)) == {DAY: (3, 2), BUSY: (0, 1), ("team", "shared", "starts"): (2, 0)}


def test_an_admission_whose_pod_nobody_has_seen_survives_an_older_look_at_the_session() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.admit("s", left=amounts("3"), attempt=2)
    bench.known("s", settled={1: settled("1", end=0)})
    assert bench.sums() == {DAY: (1, 3)}
    bench.known("s", settled={1: settled("1", end=0)}, running=Running(1, NOW, amounts("9")))
    assert bench.sums() == {DAY: (1, 3)}


def test_a_settled_attempt_is_not_reserved_even_if_its_pod_is_still_there() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.known("s", settled={1: settled("1", end=0)}, running=Running(1, NOW, amounts("9")))
    assert bench.sums() == {DAY: (1, 0)}


# Limits on starts


def test_starts_are_spread_over_the_window() -> None:
    bench = Bench(budget({**RATE, "burst": 2}))
    assert [bench.admit(str(number)).admitted for number in range(3)] == [True, True, False]
    refused = bench.admit("2")
    assert refused.until == after(10)
    assert bench.admit("2", now=after(10)).admitted


def test_starts_by_the_day_count_attempts() -> None:
    bench = Bench(budget(STARTS))
    bench.ledger.observe(session("s", settled={1: settled(end=5), 2: settled(start=10, end=20)}), after(30))
    assert bench.admit("t", now=after(30)).until == after(14 * 3600)


def test_a_settled_attempt_counts_as_one_start() -> None:
    bench = Bench(budget(STARTS, RATE))
    bench.admit("s")
    bench.end("s", at=after(5))
    assert bench.sums(after(5))["team", "shared", "starts"] == (1, 0)
    assert bench.admit("t", now=after(10)).admitted


# Verdicts


def test_more_than_the_limit_itself_never_fits() -> None:
    bench = Bench(budget(COST_10_DAILY, CONCURRENCY_1))
    bench.admit("first")
    assert bench.admit("s", left=amounts("10.01")).outcome == "ExceedsBudget"


@pytest.mark.parametrize(("at_limit", "outcome"), [("Queue", "BudgetFull"), ("Reject", "BudgetRejected"), ("Warn", "Admitted")])
def test_what_happens_at_the_limit(at_limit: str, outcome: str) -> None:
    bench = Bench(budget(CONCURRENCY_1, atLimit=at_limit))
    bench.admit("first")
    verdict = bench.admit("s")
    assert verdict.outcome == outcome
    assert bool(verdict.warnings) is (at_limit == "Warn")
    assert bench.sums()[BUSY] == (0, 2 if at_limit == "Warn" else 1)


def test_a_budget_that_rejects_wins_over_one_that_queues() -> None:
    bench = Bench(budget(CONCURRENCY_1), budget(CONCURRENCY_1, name="hard", atLimit="Reject"))
    bench.admit("first")
    verdict = bench.admit("s")
    assert verdict.outcome == "BudgetRejected"
    assert [shortage.budget.name for shortage in verdict.shortages] == ["hard"]


def test_until_is_when_the_last_shortage_is_over() -> None:
    bench = Bench(budget(COST_10_HOUR, COST_10_DAILY))
    bench.ledger.observe(session("old", settled={1: settled("6", end=0), 2: settled("4", start=60, end=600)}), after(600))
    verdict = bench.admit("s", left=amounts("5"), now=after(600))
    assert [shortage.until for shortage in verdict.shortages] == [after(3660), after(14 * 3600)]
    assert verdict.until == after(14 * 3600)


def test_nobody_knows_when_what_is_reserved_becomes_free() -> None:
    bench = Bench(budget(COST_10_HOUR))
    bench.ledger.observe(session("old", settled={1: settled("2", end=0)}), NOW)
    bench.admit("first", left=amounts("7"))
    assert bench.admit("s", left=amounts("5")).until is None
    assert bench.admit("s", left=amounts("3")).until == after(3660)


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
    assert again.preview(Subject("a"), NOTHING, after(3)).until in (after(10), after(11))


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
