"""The sessions that wait for room in one account: who is first.

Inside a namespace: priority, then age. Between namespaces: the one that holds the smallest share of the account. So a namespace's priorities reach
no further than the namespace; of equal shares the older session goes first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from heapq import heapify, heappop, heappush

from stint.budgets.account import Account
from stint.budgets.amounts import NOTHING, Amounts

Rank = tuple[int, datetime, str]
Turn = tuple[Decimal, datetime, str, str]
"""When it is a namespace's turn, the smallest first: its share, age and uid of its first session, and its name."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """A session whose next attempt would like to start."""

    uid: str
    attempt: int
    namespace: str
    created: datetime
    """When the session was created."""
    priority: int = 0
    left: Amounts = NOTHING
    """What the session's own limits leave; None where it names none."""
    rank: Rank = field(init=False, compare=False, repr=False)
    """Its place inside the namespace: the smallest is first."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rank", (-self.priority, self.created, self.uid))


class Line:
    """Who waits in one account.

    There is a heap of sessions for each namespace and one of the namespaces. What has changed is noted, and put right when somebody asks; what has
    left is taken out when it comes to the top.
    """

    __slots__ = ("_changed", "_current", "_heaps", "_inside", "_turn", "_turns", "account", "waiters")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.waiters: dict[str, Waiter] = {}
        self._heaps: dict[str, list[Rank]] = {}
        self._inside: set[Rank] = set()
        """All ranks that are in the heaps."""
        self._turns: list[Turn] = []
        self._current: dict[str, Turn] = {}
        """The turn of each namespace; others in the heap no longer hold."""
        self._changed: set[str] = set()
        """Namespaces whose turn has to be found anew."""
        self._turn = -1

    def add(self, waiter: Waiter) -> None:
        self.waiters[waiter.uid] = waiter
        self._changed.add(waiter.namespace)
        if waiter.rank not in self._inside:
            self._inside.add(waiter.rank)
            heappush(self._heaps.setdefault(waiter.namespace, []), waiter.rank)

    def discard(self, uid: str) -> None:
        waiter = self.waiters.pop(uid, None)
        if waiter is not None:
            self._changed.add(waiter.namespace)

    def first(self, at: float) -> Waiter | None:
        """The one whose turn it is; None if nobody waits."""
        self._refresh(at)
        while self._turns:
            turn = self._turns[0]
            if self._current.get(turn[3]) == turn:
                return self.waiters[turn[2]]
            heappop(self._turns)
        return None

    def goes_before(self, waiter: Waiter, at: float) -> bool:
        """Whether somebody else's turn comes before this one's."""
        first, own = self.first(at), self._top(waiter.namespace)
        if first is None or first.uid == waiter.uid:
            return False
        if own is not None and own.rank < waiter.rank:
            return True
        return first.namespace != waiter.namespace and self._current[first.namespace] < self._turn_of(waiter, at)

    def ahead_of(self, waiter: Waiter) -> int:
        """How many of its own namespace are before it."""
        return sum(other.rank < waiter.rank for other in self.waiters.values() if other.namespace == waiter.namespace)

    def _refresh(self, at: float) -> None:
        """Find the turns anew of namespaces whose share or whose first session has changed."""
        turn = self.account.turn(at)
        if turn != self._turn:  # what was spent has left a window
            self._turn = turn
            self._changed.update(self._heaps)
        self._changed.update(self.account.moved)
        self.account.moved.clear()
        for namespace in self._changed:
            top = self._top(namespace)
            if top is None:
                self._current.pop(namespace, None)
                continue
            found = self._turn_of(top, at)
            if self._current.get(namespace) != found:
                self._current[namespace] = found
                heappush(self._turns, found)
        self._changed.clear()
        if len(self._turns) > 4 * len(self._current) + 64:
            self._turns = list(self._current.values())
            heapify(self._turns)

    def _turn_of(self, waiter: Waiter, at: float) -> Turn:
        return (self.account.share(waiter.namespace, at), waiter.created, waiter.uid, waiter.namespace)

    def _top(self, namespace: str) -> Waiter | None:
        """The first of a namespace."""
        heap = self._heaps.get(namespace, [])
        while heap:
            waiter = self.waiters.get(heap[0][2])
            if waiter is not None and waiter.rank == heap[0]:
                return waiter
            self._inside.discard(heappop(heap))
        self._heaps.pop(namespace, None)
        return None
