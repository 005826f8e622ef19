"""An account: what is spent and reserved of each limit of a budget, for one value of its `per`.

============  ==================  ====================
resource      while it runs       when it has ended
============  ==================  ====================
sessions      one start spent     one start spent
concurrency   one reserved        nothing
cost, tokens  request reserved    what it used is spent
============  ==================  ====================
"""

from __future__ import annotations

from decimal import Decimal

from stint.budgets.amounts import ONE, PAID, ZERO, Amounts
from stint.budgets.budget import Budget, Limit
from stint.budgets.facts import Running, Settled
from stint.budgets.rate import Rate
from stint.budgets.selection import account_name
from stint.budgets.spent import Spent
from stint.budgets.windows import Rolling


class Meter:
    """One limit in one account. Moments are seconds since 1970."""

    __slots__ = ("_fallback", "_place", "limit", "rate", "reserved", "reserved_by", "spent")

    def __init__(self, limit: Limit, reserve: Amounts) -> None:
        self.limit = limit
        self._place = PAID.get(limit.resource)
        self._fallback = ONE if self._place is None else reserve[self._place] or ZERO
        self.spent = Spent(limit.window) if limit.window is not None else None
        self.rate: Rate | None = None
        if limit.burst and isinstance(limit.window, Rolling):
            self.rate = Rate(float(limit.amount), limit.window.seconds, limit.burst)
        self.reserved = ZERO
        self.reserved_by: dict[str, Decimal] = {}

    def needs(self, request: Amounts) -> Decimal:
        """How much of this limit a request is. One that was admitted before the limit was there counts as the budget's reserve."""
        if self._place is None:
            return ONE
        amount = request[self._place]
        return self._fallback if amount is None else amount

    def spent_at(self, now: float) -> Decimal:
        return ZERO if self.spent is None else self.spent.total(now)

    def has_room(self, need: Decimal, now: float) -> bool:
        """Whether spent + reserved + need ≤ limit; for a rate: whether a start is allowed now."""
        if self.rate is not None:
            return self.rate.allowed_at(now) <= now
        return self.spent_at(now) + self.reserved + need <= self.limit.amount

    def room_at(self, need: Decimal, now: float) -> float | None:
        """When there will be room if nothing else changes; None if only a settlement makes room."""
        if self.rate is not None:
            return self.rate.allowed_at(now)
        if self.spent is None:
            return None
        return self.spent.at_most(self.limit.amount - self.reserved - need, now)

    def exceeded_by(self, need: Decimal) -> bool:
        """Whether it would not fit into an empty account either."""
        return need > self.limit.amount

    def share(self, who: str, now: float) -> Decimal:
        """The part of the limit that one namespace holds: (spent + reserved) / limit."""
        spent = ZERO if self.spent is None else self.spent.of(who, now)
        return (spent + self.reserved_by.get(who, ZERO)) / self.limit.amount

    def filled(self, now: float) -> Decimal:
        """(spent + reserved) / limit."""
        return (self.spent_at(now) + self.reserved) / self.limit.amount

    def spends(self, attempt: Settled) -> tuple[float, Decimal] | None:
        """When an attempt that has ended spent how much of this limit."""
        if self.limit.resource == "sessions":
            return attempt.start.timestamp(), ONE
        if self._place is None:
            return None
        return attempt.end.timestamp(), attempt.used[self._place] or ZERO

    def run(self, who: str, running: Running, sign: int) -> None:
        """An attempt begins to run (`sign` 1) or no longer does (-1)."""
        if self.limit.resource == "sessions":
            self._spend(running.start.timestamp(), who, ONE * sign)
            return
        need = self.needs(running.request) * sign
        self.reserved += need
        left = self.reserved_by.get(who, ZERO) + need
        if left:
            self.reserved_by[who] = left
        else:
            self.reserved_by.pop(who, None)

    def end(self, who: str, attempt: Settled, sign: int) -> None:
        """An attempt has ended (`sign` 1), or that is taken back (-1)."""
        spent = self.spends(attempt)
        if spent is not None:
            at, amount = spent
            self._spend(at, who, amount * sign)

    def _spend(self, at: float, who: str, amount: Decimal) -> None:
        if self.spent is not None:
            self.spent.add(at, who, amount)


class Account:
    """All limits of a budget for one value of its `per`."""

    __slots__ = ("budget", "key", "members", "meters", "moved", "name", "reserves", "running")

    def __init__(self, budget: Budget, key: tuple[str, ...]) -> None:
        self.budget = budget
        self.key = key
        self.name = account_name(budget.per, key)
        self.meters = tuple(Meter(limit, budget.reserve) for limit in budget.limits)
        limited = {limit.resource for limit in budget.limits}
        self.reserves = Amounts(*(budget.reserve[place] if resource in limited else None for resource, place in PAID.items()))
        """What the budget sets aside of what it limits."""
        self.members = 0
        """Sessions that belong to it."""
        self.running: set[str] = set()
        """Uids of those with an attempt that runs."""
        self.moved: set[str] = set()
        """Namespaces whose share has changed; the line of the account takes them out."""

    def run(self, who: str, running: Running, sign: int) -> None:
        self.moved.add(who)
        for meter in self.meters:
            meter.run(who, running, sign)

    def end(self, who: str, attempt: Settled, sign: int) -> None:
        self.moved.add(who)
        for meter in self.meters:
            meter.end(who, attempt, sign)

    def started(self, at: float) -> None:
        """A start, for limits that spread starts over time."""
        for meter in self.meters:
            if meter.rate is not None:
                meter.rate.take(at)

    def share(self, who: str, now: float) -> Decimal:
        """The largest part that a namespace holds of any limit (its dominant share; Ghodsi et al., NSDI 2011)."""
        return max(meter.share(who, now) for meter in self.meters)

    def turn(self, now: float) -> int:
        """A number that changes whenever time alone has changed what counts."""
        return sum(meter.spent.turn(now) for meter in self.meters if meter.spent is not None)

    def filled(self, now: float) -> Decimal:
        """How full the fullest limit is: 1 is full."""
        return max(meter.filled(now) for meter in self.meters)

    def empty(self, now: float) -> bool:
        """Nobody belongs to it and nothing counts in it."""
        return not self.members and all(not meter.reserved and not meter.spent_at(now) for meter in self.meters)
