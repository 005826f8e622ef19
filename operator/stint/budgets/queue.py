"""Who starts next, when there is room again.

::

    add ──▶ in the lines of all its accounts ──▶ first in a line: is there room in all of them, and nobody before it?
                      ▲                                 │ yes: admitted
                      └── in those that lack room ◀─────┘ no

A session keeps its place only in accounts that lack room for it, or where somebody is before it; so an account without room holds nobody up in
another. Only the first of a line is ever asked, so settling one session costs the same whether ten or ten thousand wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from stint.budgets.account import Account
from stint.budgets.budget import BudgetKey
from stint.budgets.ledger import Ledger
from stint.budgets.line import Line, Waiter
from stint.budgets.reasons import BUDGET_FULL
from stint.budgets.verdict import Verdict
from stint.budgets.windows import moment


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a session that asked to start."""

    waiter: Waiter
    verdict: Verdict


class Told(NamedTuple):
    """What a session that waits was told: which budget it waits for, and whether the time is known."""

    budget: BudgetKey
    timed: bool


class Queue:
    """The sessions that wait for room."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._generation = ledger.generation
        self._waiters: dict[str, Waiter] = {}
        self._lines: dict[Account, Line] = {}
        self._places: dict[str, tuple[Account, ...]] = {}
        self._wakes: dict[Account, float] = {}
        """When the first of a line may have room, where that is known."""
        self._untold: dict[str, None] = {}
        """Sessions that nobody has been told about yet."""
        self._told: dict[str, Told] = {}
        """What the others were told."""
        self._dirty: dict[Account, None] = {}
        """Lines whose first has to be asked (a set that keeps its order)."""

    def __len__(self) -> int:
        return len(self._waiters)

    def __contains__(self, uid: str) -> bool:
        return uid in self._waiters

    def add(self, waiter: Waiter) -> None:
        """A session that the ledger knows would like to start, or asks for something else than before. `pump` decides."""
        known = self._waiters.get(waiter.uid)
        if known == waiter:
            return
        if known is None:
            self._untold[waiter.uid] = None
        else:
            self._move(known, ())
        self._waiters[waiter.uid] = waiter
        self._enrol(waiter)

    def remove(self, uid: str) -> None:
        """It no longer wants to start."""
        waiter = self._waiters.pop(uid, None)
        if waiter is not None:
            self._move(waiter, ())
            del self._places[uid]
            self._untold.pop(uid, None)
            self._told.pop(uid, None)

    def pump(self, now: datetime) -> list[Decision]:
        """Decide what can be decided now: who is admitted (reserved in the ledger when this returns: commit it, then create the pod), who is rejected
        or asks for too much, and, once for each session, that it waits. Call it after every change of ledger or queue, and at `next_wakeup`."""
        at = now.timestamp()
        if self._ledger.generation != self._generation:
            self._enrol_anew()
        for uid in [uid for uid in self._ledger.moved if uid in self._waiters]:
            self._move(self._waiters[uid], ())
            self._enrol(self._waiters[uid])
        self._ledger.moved.clear()
        self._take_touched()
        self._dirty.update(dict.fromkeys(account for account, wake in self._wakes.items() if wake <= at))
        decisions: list[Decision] = []
        for uid in [uid for uid in self._untold if not self._places[uid]]:
            self._ask(self._waiters[uid], None, now, decisions)  # no budget lets it wait
        while self._dirty:
            while self._dirty:
                self._serve(self._dirty.popitem()[0], now, decisions)
            self._tell(now, decisions)  # whom it rejects holds nobody up any more
        return decisions

    def next_wakeup(self, budget: BudgetKey | None = None) -> datetime | None:
        """When time alone may make room for somebody, in this budget or in any; None if only other changes can."""
        wakes = [wake for account, wake in self._wakes.items() if budget in (None, account.budget.key)]
        return moment(min(wakes)) if wakes else None

    def waiting(self, budget: BudgetKey) -> int:
        """How many sessions wait for room in a budget."""
        return sum(len(line.waiters) for account, line in self._lines.items() if account.budget.key == budget)

    def waiting_by_budget(self) -> Counter[BudgetKey]:
        """The same for all budgets at once."""
        found: Counter[BudgetKey] = Counter()
        for account, line in self._lines.items():
            found[account.budget.key] += len(line.waiters)
        return found

    def ahead_of(self, uid: str) -> int:
        """How many sessions of its own namespace go before it; between namespaces the order follows from what each uses."""
        return max((self._lines[account].ahead_of(self._waiters[uid]) for account in self._places[uid]), default=0)

    def _serve(self, account: Account, now: datetime, decisions: list[Decision]) -> None:
        """Ask the first of a line, and the next one, until one has to stay."""
        at = now.timestamp()
        self._wakes.pop(account, None)
        while (line := self._lines.get(account)) is not None:
            first = line.first(at)
            if first is None:
                del self._lines[account]
            elif self._ask(first, account, now, decisions):
                self._dirty.pop(account, None)
                return

    def _ask(self, waiter: Waiter, account: Account | None, now: datetime, decisions: list[Decision]) -> bool:
        """Whether the session, which is the first of this account's line, has to stay there."""
        verdict = self._ledger.ask(waiter.uid, waiter.left, now)
        if not verdict.admitted and verdict.outcome != BUDGET_FULL:
            self._decide(waiter, verdict, decisions)
            return False
        at = now.timestamp()
        short = {shortage.budget for shortage in verdict.shortages}
        places = [each for each in self._queueing(waiter.uid) if each.budget.key in short or self._is_behind(waiter, each, at)]
        if not places:
            self._decide(waiter, self._ledger.admit(waiter.uid, waiter.attempt, waiter.left, now), decisions)
            return False
        self._move(waiter, places, without=account)
        for place in places:
            first = self._lines[place].first(at)
            if first is not None and first.uid == waiter.uid:
                self._tell_again(waiter, verdict, decisions)
                self._set_wake(place, [shortage.until for shortage in verdict.shortages if shortage.budget == place.budget.key])
        return account in places

    def _set_wake(self, account: Account, untils: list[datetime | None]) -> None:
        """The first of a line waits for all of this."""
        known = [until.timestamp() for until in untils if until is not None]
        if known and len(known) == len(untils):
            self._wakes[account] = max(known)
        else:
            self._wakes.pop(account, None)

    def _decide(self, waiter: Waiter, verdict: Verdict, decisions: list[Decision]) -> None:
        self.remove(waiter.uid)
        decisions.append(Decision(waiter, verdict))
        self._take_touched()

    def _tell(self, now: datetime, decisions: list[Decision]) -> None:
        """Every session is told once that it waits, and what for; not again when the queue moves."""
        for uid in list(self._untold):
            waiter = self._waiters[uid]
            verdict = self._ledger.ask(uid, waiter.left, now)
            if verdict.admitted:  # there is room for it, but others are before it: it waits for what they wait for
                verdict = replace(self._of_the_first(waiter, now), outcome=BUDGET_FULL, request=verdict.request)
            decisions.append(Decision(waiter, verdict))
            if verdict.outcome == BUDGET_FULL:
                del self._untold[uid]
                self._told[uid] = _told(verdict)
            else:
                self.remove(uid)

    def _tell_again(self, waiter: Waiter, verdict: Verdict, decisions: list[Decision]) -> None:
        """Who is first in a line is told once more when a time becomes known, or no longer is."""
        told = self._told.get(waiter.uid)
        if verdict.shortages and told is not None and told.timed != (verdict.until is not None):
            self._told[waiter.uid] = _told(verdict)
            decisions.append(Decision(waiter, verdict))

    def _of_the_first(self, waiter: Waiter, now: datetime) -> Verdict:
        for account in self._places[waiter.uid]:
            first = self._lines[account].first(now.timestamp())
            if first is not None and first.uid != waiter.uid:
                return self._ledger.ask(first.uid, first.left, now)
        raise AssertionError(f"session {waiter.uid} waits for nothing")

    def _is_behind(self, waiter: Waiter, account: Account, at: float) -> bool:
        line = self._lines.get(account)
        return line is not None and line.goes_before(waiter, at)

    def _enrol(self, waiter: Waiter) -> None:
        """Into the lines of all accounts: whose turn it is, `pump` sees."""
        self._places[waiter.uid] = ()
        self._move(waiter, list(self._queueing(waiter.uid)))
        self._dirty.update(dict.fromkeys(self._places[waiter.uid]))
        if not self._places[waiter.uid]:
            self._untold[waiter.uid] = None

    def _enrol_anew(self) -> None:
        """Sessions belong to other accounts than before."""
        self._generation = self._ledger.generation
        self._lines.clear()
        self._wakes.clear()
        self._dirty.clear()
        for waiter in self._waiters.values():
            self._enrol(waiter)
            told = self._told.get(waiter.uid)
            if told is not None and told.budget not in self._ledger:  # it would go on naming a budget that is not there any more
                del self._told[waiter.uid]
                self._untold[waiter.uid] = None

    def _move(self, waiter: Waiter, places: Iterable[Account], without: Account | None = None) -> None:
        """Out of the lines that are not among `places`, into those that are; the lines that it leaves have to be looked at, but for one."""
        places = tuple(places)
        for account in self._places.get(waiter.uid, ()):
            if account not in places:
                line = self._lines.get(account)
                if line is not None:
                    line.discard(waiter.uid)
                if account is not without:
                    self._dirty[account] = None
        for account in places:
            self._lines.setdefault(account, Line(account)).add(waiter)
        self._places[waiter.uid] = places

    def _take_touched(self) -> None:
        self._dirty.update(dict.fromkeys(account for account in self._ledger.touched if account in self._lines))
        self._ledger.touched.clear()

    def _queueing(self, uid: str) -> Iterable[Account]:
        return (account for account in self._ledger.accounts_of(uid) if self._ledger.may_wait(uid, account))


def _told(verdict: Verdict) -> Told:
    return Told(verdict.decisive.budget, verdict.until is not None)
