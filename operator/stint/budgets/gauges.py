"""The gauges of budgets, asked of the ledger at each scrape.

Shown are the accounts that the status shows, the fullest; of all budgets together no more than `MOST`. Where a budget has an account for each user,
there is no account in the labels: what is shown is its fullest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from heapq import nlargest
from typing import NamedTuple

from prometheus_client.metrics_core import Metric

from stint.api.budget import ACCOUNTS
from stint.budgets.account import Account, Meter
from stint.budgets.admissions import Admissions
from stint.budgets.budget import Budget, BudgetKey
from stint.budgets.published import is_full
from stint.telemetry.metrics import BUDGET_EXHAUSTED, BUDGET_LIMIT, BUDGET_RESERVED, BUDGET_SPENT, BUDGET_WAITING

MOST = 500
"""Accounts."""
PERSONAL = "User"
FULLEST = "fullest"


class Shown(NamedTuple):
    """An account, and how full it is."""

    filled: Decimal
    name: str
    account: Account


class BudgetGauges:
    """``is_open``: whether anything is counted yet."""

    def __init__(self, admissions: Admissions, is_open: Callable[[], bool], clock: Callable[[], datetime]) -> None:
        self._admissions = admissions
        self._is_open = is_open
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        if not self._is_open():
            return
        at = self._clock().timestamp()
        shown: list[Shown] = []
        exhausted: dict[BudgetKey, int] = {}
        for budget in self._admissions.ledger.budgets():
            accounts = self._admissions.ledger.accounts(budget.key)
            shown += _fullest(budget, accounts, at)
            exhausted[budget.key] = sum(any(is_full(meter, at) for meter in account.meters) for account in accounts)
        meters = [(_labels(each, meter), meter) for each in nlargest(MOST, shown, key=_rank) for meter in each.account.meters]
        waiting = self._admissions.waiting()
        yield BUDGET_SPENT.family((labels, float(meter.spent_at(at))) for labels, meter in meters)
        yield BUDGET_RESERVED.family((labels, float(meter.reserved)) for labels, meter in meters)
        yield BUDGET_LIMIT.family((labels, float(meter.limit.amount)) for labels, meter in meters)
        yield BUDGET_EXHAUSTED.family(((str(key),), count) for key, count in exhausted.items())
        yield BUDGET_WAITING.family(((str(key),), waiting.get(key, 0)) for key in exhausted)


def _fullest(budget: Budget, accounts: Iterable[Account], at: float) -> list[Shown]:
    personal = PERSONAL in budget.per
    found = nlargest(1 if personal else ACCOUNTS, (Shown(account.filled(at), account.name, account) for account in accounts), key=_rank)
    return [each._replace(name=FULLEST) for each in found] if personal else found


def _rank(shown: Shown) -> tuple[Decimal, str]:
    return shown.filled, shown.name


def _labels(shown: Shown, meter: Meter) -> tuple[str, ...]:
    return str(shown.account.budget.key), shown.name, meter.limit.name, meter.limit.resource
