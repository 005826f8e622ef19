"""What was used inside a window: sums that follow the time, by namespace and as a whole.

Sums are kept for the time between two changes, so asking costs nothing while no bucket ends. They follow from the buckets alone: the clock may jump
forward and back, and what is counted afterwards is the same as if it never had.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from stint.budgets.amounts import ZERO
from stint.budgets.windows import BUCKETS, Window

MOST_BUCKETS = 2 * BUCKETS + 8
"""Twice what a window needs: a clock that was ahead and is put right finds everything as it was."""
NEVER, ALWAYS = float("-inf"), float("inf")


class Spent:
    """Amounts in the buckets of a window."""

    __slots__ = ("_buckets", "_by", "_since", "_total", "_turn", "_until", "window")

    def __init__(self, window: Window) -> None:
        self.window = window
        self._buckets: dict[int, dict[str, Decimal]] = {}
        self._total = ZERO
        self._by: dict[str, Decimal] = {}
        self._turn = 0
        self._since, self._until = NEVER, ALWAYS
        """The sums hold from the one moment (included) to the other (excluded)."""

    def add(self, at: float, who: str, amount: Decimal) -> None:
        """Count an amount that was used at this moment; a negative one takes it back."""
        self.add_to(self.window.bucket(at), who, amount)

    def add_to(self, bucket: int, who: str, amount: Decimal) -> None:
        """The same for a bucket."""
        if not amount:
            return
        inside = self._buckets.get(bucket)
        if inside is None:
            if amount < 0:
                return  # it was too old to be kept
            inside = self._buckets[bucket] = {}
            if len(self._buckets) > MOST_BUCKETS:
                self._forget(min(self._buckets))
        left = inside.get(who, ZERO) + amount
        if left:
            inside[who] = left
        else:
            inside.pop(who, None)
            if not inside:
                self._buckets.pop(bucket, None)
        ends = self.window.ends(bucket)
        if ends <= self._since:
            return  # does not count at this time
        self._until = min(self._until, ends)
        self._total += amount
        self._by[who] = self._by.get(who, ZERO) + amount

    def total(self, now: float) -> Decimal:
        """What counts now, of all namespaces."""
        if not self._since <= now < self._until:
            self._sum(now)
        return self._total

    def of(self, who: str, now: float) -> Decimal:
        """What counts now, of one namespace."""
        if not self._since <= now < self._until:
            self._sum(now)
        return self._by.get(who, ZERO)

    def turn(self, now: float) -> int:
        """How often time alone has changed the sums."""
        self.total(now)
        return self._turn

    def falls(self, now: float) -> float | None:
        """When the total becomes less; None if nothing counts."""
        return min((end for end, _ in self._ends(now)), default=None)

    def at_most(self, amount: Decimal, now: float) -> float | None:
        """When the total will be no more than `amount` if nothing is added; None for never (`amount` is negative)."""
        total = self.total(now)
        return now if total <= amount else next((end for end, left in self._falling(total, now) if left <= amount), None)

    def below(self, amount: Decimal, now: float) -> float | None:
        """When the total will be less than `amount` if nothing is added; None for never."""
        total = self.total(now)
        return now if total < amount else next((end for end, left in self._falling(total, now) if left < amount), None)

    def _falling(self, total: Decimal, now: float) -> Iterator[tuple[float, Decimal]]:
        """Each moment at which the total becomes less, and what is left then."""
        for end, inside in sorted(self._ends(now)):
            total -= inside
            yield end, total

    def _ends(self, now: float) -> Iterator[tuple[float, Decimal]]:
        """Each bucket that counts: when it ends, and what is in it."""
        for bucket, inside in self._buckets.items():
            end = self.window.ends(bucket)
            if end > now:
                yield end, sum(inside.values(), ZERO)

    def _sum(self, now: float) -> None:
        self._turn += 1
        self._since, self._until, self._total, self._by = NEVER, ALWAYS, ZERO, {}
        for bucket, inside in self._buckets.items():
            end = self.window.ends(bucket)
            if end <= now:
                self._since = max(self._since, end)
                continue
            self._until = min(self._until, end)
            for who, amount in inside.items():
                self._total += amount
                self._by[who] = self._by.get(who, ZERO) + amount

    def _forget(self, bucket: int) -> None:
        del self._buckets[bucket]
        self._until = NEVER  # add up anew
