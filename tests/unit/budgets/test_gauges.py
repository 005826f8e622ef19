"""What a scrape says of budgets."""

from __future__ import annotations

from decimal import Decimal

import pytest

from simulation.metrics_kit import scraped, series
from stint.budgets import gauges
from stint.budgets.amounts import amounts
from stint.budgets.gauges import BudgetGauges
from unit.budgets.kit import CONCURRENCY_1, COST_10_HOUR, NOW, TEAM, Leader, budget, session, settled


def gauges_of(leader: Leader, is_open: bool = True) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return scraped(BudgetGauges(leader.it, lambda: is_open, lambda: NOW))


def limit(name: str, account: str = "shared", resource: str = "cost", budget: str = str(TEAM)) -> dict[str, str]:
    return {"budget": budget, "account": account, "limit": name, "resource": resource}


def test_spent_reserved_and_limit_are_there_so_that_their_ratio_is_known() -> None:
    leader = Leader().lead(budget(COST_10_HOUR))
    leader.it.observe(session("old", settled={1: settled("5.50", end=0)}), NOW)
    leader.ask("s", left=amounts("2"))
    found = gauges_of(leader)
    assert found[series("stint_budget_spent", **limit("hour"))] == 5.5
    assert found[series("stint_budget_reserved", **limit("hour"))] == 2
    assert found[series("stint_budget_limit", **limit("hour"))] == 10
    assert found[series("stint_budget_exhausted_accounts", budget=str(TEAM))] == 0
    assert found[series("stint_budget_waiting_sessions", budget=str(TEAM))] == 0


def test_who_waits_is_counted_and_a_full_account_is_exhausted() -> None:
    leader = Leader().lead(budget(CONCURRENCY_1, per=["Namespace"]), budget(CONCURRENCY_1, name="idle", namespace="idle"))
    for uid in ("one", "two", "three"):
        leader.ask(uid)
    found = gauges_of(leader)
    assert found[series("stint_budget_waiting_sessions", budget=str(TEAM))] == 2
    assert found[series("stint_budget_waiting_sessions", budget="idle/idle")] == 0
    assert found[series("stint_budget_exhausted_accounts", budget=str(TEAM))] == 1
    assert found[series("stint_budget_reserved", **limit("busy", "Namespace=a", "concurrency"))] == 1


def test_no_user_is_named() -> None:
    leader = Leader().lead(budget({**COST_10_HOUR, "limit": "100"}, per=["User"]))
    for user, cost in (("ann", "3"), ("bob", "7")):
        leader.it.observe(session(user, settled={1: settled(cost, end=0)}, user=user), NOW)
    found = gauges_of(leader)
    spent = {labels: value for (name, labels), value in found.items() if name == "stint_budget_spent"}
    assert spent == {frozenset(limit("hour", "fullest").items()): 7}
    assert "ann" not in str(found)


@pytest.mark.parametrize(("each", "together"), [(2, 100), (100, 2)], ids=["of one budget", "of all together"])
def test_only_the_fullest_accounts_are_shown(each: int, together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "ACCOUNTS", each)
    monkeypatch.setattr(gauges, "MOST", together)
    leader = Leader().lead(budget({**COST_10_HOUR, "limit": "100"}, per=["Namespace"]))
    for number in range(5):
        leader.it.observe(session(str(number), f"team-{number}", settled={1: settled(str(Decimal(number)), end=0)}), NOW)
    shown = {dict(labels)["account"] for name, labels in gauges_of(leader) if name == "stint_budget_limit"}
    assert shown == {"Namespace=team-4", "Namespace=team-3"}


def test_nothing_is_said_before_anything_is_counted() -> None:
    assert gauges_of(Leader().lead(budget(CONCURRENCY_1)), is_open=False) == {}
