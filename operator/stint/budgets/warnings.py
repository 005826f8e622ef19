"""Warnings at percentages: one when an account crosses one of them, again only after it has fallen below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from stint.budgets.account import Account, Meter
from stint.budgets.amounts import plain
from stint.budgets.reasons import BUDGET_WARNING
from stint.budgets.verdict import UNITS
from stint.budgets.windows import moment
from stint.engine.conditions import timestamp
from stint.engine.plan import EventRecord


def level(meter: Meter, account: Account, now: float) -> int:
    """The highest of the budget's percentages that is reached, 0 for none: of what is spent, for concurrency of what runs."""
    used = meter.reserved if meter.spent is None else meter.spent_at(now)
    percent = 100 * used / meter.limit.amount
    return max((each for each in account.budget.warn_at if each <= percent), default=0)


def crossings(account: Account, warned: Mapping[str, int], now: datetime) -> list[EventRecord]:
    """An Event for each limit that has reached a higher percentage than was warned of. `warned`: by name of the limit, as in `warnedAtPercent`."""
    at = now.timestamp()
    return [
        EventRecord(BUDGET_WARNING, _sentence(meter, account, at), warning=True)
        for meter in account.meters
        if level(meter, account, at) > warned.get(meter.limit.name, 0)
    ]


def crossed(accounts: Iterable[Account], warned: Mapping[str, Mapping[str, int]], now: datetime) -> Iterator[EventRecord]:
    """The Events of a budget. `warned`: by name of the account, what was warned of."""
    for account in accounts:
        yield from crossings(account, warned.get(account.name, {}), now)


def warned_of(status: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """What was warned of, by account and limit, as far as the status tells: it does not show every account."""
    accounts = status.get("accounts") or ()
    return {each["key"]: {limit["name"]: limit.get("warnedAtPercent", 0) for limit in each.get("limits") or ()} for each in accounts}


def levels(accounts: Iterable[Account], now: datetime) -> dict[str, dict[str, int]]:
    """The same, of what there is to warn of now."""
    at = now.timestamp()
    return {account.name: {meter.limit.name: level(meter, account, at) for meter in account.meters} for account in accounts}


def _sentence(meter: Meter, account: Account, at: float) -> str:
    used = meter.reserved if meter.spent is None else meter.spent_at(at)
    falls = meter.spent.falls(at) if meter.spent is not None else None
    when = f"; it becomes less at {timestamp(moment(falls))}" if falls is not None else ""
    limit = meter.limit
    percent = int(100 * used / limit.amount)
    return f"account {account.name}: {percent} % of limit {limit.name} used, {plain(used)} of {plain(limit.amount)} {UNITS[limit.resource]}{when}"
