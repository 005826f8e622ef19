"""Whom the ledger lets start, and what it says to the others."""

import pytest

from stint.budgets.amounts import amounts
from unit.budgets.kit import (
    BUSY,
    CONCURRENCY_1,
    COST_10_DAILY,
    COST_10_HOUR,
    NOW,
    RATE,
    STARTS,
    Bench,
    after,
    budget,
    session,
    settled,
)  # fmt: skip

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
