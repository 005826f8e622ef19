"""What the status of a budget lets one say about an account without a ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stint.budgets.amounts import NOTHING
from stint.budgets.facts import Running
from stint.budgets.selection import Subject, account_key
from stint.budgets.standing import Standing
from stint.budgets.weigh import request_of, weigh
from unit.admission.kit import status_of
from unit.budgets.kit import (
    CONCURRENCY_2,
    COST_10_DAILY,
    COST_10_HOUR,
    NOW,
    RATE,
    STARTS,
    Bench,
    Json,
    after,
    budget,
    session,
    settled,
    used,
    would_start,
)  # fmt: skip


@pytest.mark.parametrize("limits", [[CONCURRENCY_2], [COST_10_DAILY], [COST_10_HOUR], [STARTS], [COST_10_DAILY, CONCURRENCY_2]], ids=str)
@pytest.mark.parametrize("per", [[], ["Namespace"], ["User", "Namespace"]], ids=str)
@pytest.mark.parametrize("later", [0, 30, 3600, 90000])
def test_the_answer_is_that_of_the_ledger_which_has_published_it(limits: list[Json], per: list[str], later: float) -> None:
    team = budget(*limits, per=per)
    bench = Bench(team)
    bench.ledger.observe(session("done", settled={1: settled("8.5", start=-60, end=-30)}), NOW)
    bench.ledger.observe(session("runs", running=Running(1, after(-5), used("0.75"))), NOW)
    standing = Standing(team, status_of(bench.ledger, NOW))
    now = NOW + timedelta(seconds=later)
    for subject in (Subject("a"), Subject("b"), Subject("a", user="alice")):
        ours = [standing.account(account_key(team.per, subject))]
        told = weigh(ours, request_of(ours, NOTHING), now)
        true = would_start(bench.ledger, subject, now)
        assert (told.outcome, told.request, [(one.spent, one.reserved, one.limit) for one in told.shortages]) == (
            true.outcome, true.request, [(one.spent, one.reserved, one.limit) for one in true.shortages],
        )  # fmt: skip


def test_the_next_reset_is_the_one_that_was_published() -> None:
    team = budget(COST_10_HOUR)
    bench = Bench(team)
    bench.ledger.observe(session("done", settled={1: settled("10", start=-60, end=-30)}), NOW)
    status = status_of(bench.ledger, NOW)
    account = Standing(team, status).account(())
    told = weigh([account], request_of([account], NOTHING), NOW)
    resets = status["accounts"][0]["limits"][0]["resetsAt"]
    assert told.until is not None
    assert told.until.strftime("%Y-%m-%dT%H:%M:%SZ") == resets


def test_an_account_that_the_status_does_not_show_counts_as_empty() -> None:
    team = budget(COST_10_DAILY, per=["Namespace"])
    assert Standing(team, {}).account(("a",)).filled(NOW.timestamp()) == 0


def test_starts_that_are_spread_count_only_as_far_as_they_are_given() -> None:
    team = budget(RATE)
    told = {"accounts": [{"key": "shared", "limits": [{"name": "rate", "spent": "6", "reserved": "0", "limit": "6"}]}]}
    free, taken = (Standing(team, told).account((), since) for since in ((), (Running(1, NOW, NOTHING),)))
    outcomes = [weigh([each], NOTHING, NOW).outcome for each in (free, taken)]
    assert outcomes == ["Admitted", "BudgetFull"]
