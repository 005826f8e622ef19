"""A RateBudget, read: amounts as numbers, windows with their time zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stint.api.base import InvalidObject
from stint.api.budget import AtLimit, BudgetLimit, BudgetResource, BudgetSelector, RateBudget, Reserve, WhenSpent
from stint.api.scalars import seconds
from stint.budgets.amounts import NOTHING, Amounts, amounts
from stint.budgets.selection import Subject, selects
from stint.budgets.windows import Calendar, Rolling, Window

EVERYBODY = BudgetSelector()


class BudgetKey(NamedTuple):
    """Where a budget is."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a budget."""

    name: str
    resource: BudgetResource
    amount: Decimal
    window: Window | None = None
    """None: what runs at the moment (concurrency)."""
    burst: int = 0
    """Starts at once after a quiet time; 0: starts are counted, not spread."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much sessions may use, for whom it counts, and what happens at the limit."""

    key: BudgetKey
    limits: tuple[Limit, ...]
    selector: BudgetSelector = EVERYBODY
    per: tuple[str, ...] = ()
    at_limit: AtLimit = "Queue"
    when_spent: WhenSpent = "Continue"
    warn_at: tuple[int, ...] = ()
    """Percent, ascending."""
    reserve: Amounts = NOTHING
    problem: str = ""
    """What a person has to put right; the limits hold meanwhile."""

    def counts(self, subject: Subject, system_namespace: str) -> bool:
        """Whether the session is one of those that it limits."""
        return self.key.namespace in (system_namespace, subject.namespace) and selects(self.selector, subject)


def read_budget(item: Mapping[str, Any]) -> Budget:
    """The budget of an object as the API server sent it. A time zone that this machine does not know is named in `problem`, and UTC holds
    instead. Raises `InvalidObject` for what cannot be read at all: whoever knows an older version of the budget goes on with that."""
    read = RateBudget.read(item)
    unknown: list[str] = []
    spec = read.spec
    return Budget(
        key=BudgetKey(read.metadata.namespace, read.metadata.name),
        limits=tuple(_limit(limit, unknown) for limit in spec.limits),
        selector=spec.selector,
        per=tuple(spec.per),
        at_limit=spec.at_limit,
        when_spent=spec.when_spent,
        warn_at=tuple(sorted(spec.warn_at_percent)),
        reserve=_reserve(spec.reserve or Reserve()),
        problem=f"no such time zone: {', '.join(unknown)}; UTC holds until timeZone is an IANA name, such as Europe/Paris" if unknown else "",
    )


def _limit(limit: BudgetLimit, unknown: list[str]) -> Limit:
    window: Window | None = None
    if limit.window is not None:
        window = Rolling(seconds(limit.window))
    elif limit.calendar is not None:
        window = Calendar(limit.calendar, _zone(limit.time_zone, unknown))
    spread = limit.resource == "sessions" and limit.window is not None
    try:
        amount = Decimal(limit.limit)
    except ArithmeticError:
        raise InvalidObject(f"spec.limits.{limit.name}.limit: {limit.limit!r} is no number") from None
    return Limit(limit.name, limit.resource, amount, window, (limit.burst or 1) if spread else 0)


def _zone(name: str | None, unknown: list[str]) -> ZoneInfo | None:
    if name is None or name == "UTC":
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        unknown.append(name)
        return None


def _reserve(reserve: Reserve) -> Amounts:
    return amounts(reserve.cost, reserve.tokens, reserve.input_tokens, reserve.output_tokens)
