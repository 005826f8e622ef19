"""What a budget's status says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from stint.api.budget import ACCOUNTS
from stint.budgets.account import Account, Meter
from stint.budgets.amounts import ONE, plain
from stint.budgets.budget import Budget
from stint.budgets.reasons import COUNTING, LIMIT_REACHED, ROOM_LEFT, UNKNOWN_TIME_ZONE
from stint.budgets.warnings import level
from stint.budgets.windows import moment
from stint.engine.conditions import FALSE, TRUE, Condition, merge, timestamp


def published(
    budget: Budget,
    accounts: Iterable[Account],
    *,
    waiting: int,
    old: Mapping[str, Any],
    generation: int,
    now: datetime,
) -> dict[str, Any]:
    """What the status tells: the 50 fullest accounts, how many sessions wait, the conditions. `old` is the status as it is."""
    at = now.timestamp()
    alive = [account for account in accounts if not account.empty(at)]
    fullest = sorted(alive, key=lambda account: (-account.filled(at), account.name))
    full = [account.name for account in fullest if any(is_full(meter, at) for meter in account.meters)]
    return {
        "observedGeneration": generation,
        "conditions": merge(old.get("conditions") or (), _conditions(budget, full), generation, now),
        "accounts": [{"key": account.name, "limits": [_limit(meter, account, at) for meter in account.meters]} for account in fullest[:ACCOUNTS]],
        "accountCount": len(alive),
        "waiting": waiting,
    }


def next_change(accounts: Iterable[Account], now: datetime) -> datetime | None:
    """When time alone changes what is published: something that was spent leaves its window, or the next start is due."""
    at = now.timestamp()
    meters = [meter for account in accounts for meter in account.meters]
    falls = [meter.spent.falls(at) for meter in meters if meter.spent is not None]
    starts = [meter.rate.allowed_at(at) for meter in meters if meter.rate is not None]
    known = [when for when in (*falls, *starts) if when is not None and when > at]
    return moment(min(known)) if known else None


def is_full(meter: Meter, at: float) -> bool:
    """Whether spent and reserved have reached the limit; for a rate: whether no start is due."""
    return not meter.has_room(ONE, at) if meter.rate is not None else meter.filled(at) >= ONE


def _limit(meter: Meter, account: Account, at: float) -> dict[str, Any]:
    falls = meter.spent.falls(at) if meter.spent is not None else None
    found = {
        "name": meter.limit.name,
        "spent": plain(meter.spent_at(at)),
        "reserved": plain(meter.reserved),
        "limit": plain(meter.limit.amount),
        "resetsAt": timestamp(moment(falls)) if falls is not None else None,
        "warnedAtPercent": level(meter, account, at) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _conditions(budget: Budget, full: list[str]) -> list[Condition]:
    ready = Condition("Ready", FALSE, UNKNOWN_TIME_ZONE, budget.problem) if budget.problem else Condition("Ready", TRUE, COUNTING)
    stalled = [Condition("Stalled", TRUE, UNKNOWN_TIME_ZONE, budget.problem)] if budget.problem else []
    if not full:
        return [ready, *stalled, Condition("Exhausted", FALSE, ROOM_LEFT)]
    others = f" and {len(full) - 1} more" if len(full) > 1 else ""
    return [ready, *stalled, Condition("Exhausted", TRUE, LIMIT_REACHED, f"a limit is reached in account {full[0]}{others}")]
