"""Admissions on their way to the cluster: written into the status of every budget that they count in, before their pods are created.

::

    admitted ──▶ waiting ──next_batch──▶ in flight ──written──▶ listed ──drop (its pod was seen)──▶ gone with the next write
                    ▲                       │
                    └───────failed──────────┘

The write is a compare-and-swap on the whole status, one at a time for each budget; what is admitted meanwhile goes with the next one. When all of its
budgets list a commit, its pod may be created. A leader that has lost its Lease finds another epoch in the status, and its write fails; a new leader
reads what is left over: an admission that all its budgets list may have a pod any moment, so it is reserved and carried out; any other never can.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stint.api.budget import COMMITS
from stint.budgets.amounts import Amounts, read_amounts, write_amounts
from stint.budgets.budget import BudgetKey


class Attempt(NamedTuple):
    """An attempt of a session; no two admissions are of the same one."""

    uid: str
    number: int


@dataclass(frozen=True, slots=True)
class Commit:
    """An admission that was decided."""

    attempt: Attempt
    epoch: int
    request: Amounts

    def document(self) -> dict[str, Any]:
        """As it stands in `status.commits`."""
        return {"uid": self.attempt.uid, "attempt": self.attempt.number, "epoch": self.epoch, **write_amounts(self.request)}


def read_commits(status: Mapping[str, Any]) -> tuple[Commit, ...]:
    """The commits in a budget's status."""
    return tuple(
        Commit(Attempt(entry["uid"], int(entry["attempt"])), int(entry["epoch"]), read_amounts(entry)) for entry in status.get("commits") or ()
    )


def next_epoch(statuses: Iterable[Mapping[str, Any]]) -> int:
    """The epoch of a new leader: higher than all that were. It writes it into every budget before it decides anything."""
    return max((int(status.get("epoch", 0)) for status in statuses), default=0) + 1


@dataclass(slots=True)
class _Page:
    """The commits of one budget."""

    listed: dict[Attempt, Commit] = field(default_factory=dict)
    flying: dict[Attempt, Commit] | None = None
    """None: no write is under way."""
    waiting: dict[Attempt, Commit] = field(default_factory=dict)


class Commits:
    """The admissions of this leader whose pods nobody has seen."""

    def __init__(self) -> None:
        self._pages: dict[BudgetKey, _Page] = {}
        self._missing: dict[Attempt, set[BudgetKey]] = {}
        """Budgets that do not list an attempt yet."""

    def add(self, commit: Commit, budgets: Collection[BudgetKey]) -> bool:
        """An admission that counts in these budgets; True if there are none, so that its pod may be created at once."""
        if not budgets:
            return True
        self._missing[commit.attempt] = set(budgets)
        for key in budgets:
            self._page(key).waiting[commit.attempt] = commit
        return False

    def inherit(self, key: BudgetKey, commits: Iterable[Commit]) -> None:
        """What a budget lists before this leader has written it."""
        self._page(key).listed = {commit.attempt: commit for commit in commits}

    def next_batch(self, key: BudgetKey) -> tuple[Commit, ...] | None:
        """The whole list to write now; None if there is nothing new, no space for more, or a write under way."""
        page = self._page(key)
        if page.flying is not None:
            return None
        batch = dict(list(page.waiting.items())[: COMMITS - len(page.listed)])
        if not batch:
            return None
        page.flying = batch
        for attempt in batch:
            del page.waiting[attempt]
        return self.content(key)

    def content(self, key: BudgetKey) -> tuple[Commit, ...]:
        """What the status has to list: every write of the status carries it."""
        page = self._page(key)
        return (*page.listed.values(), *(page.flying or {}).values())

    def written(self, key: BudgetKey) -> list[Commit]:
        """The write has succeeded. Returns the admissions that all their budgets list now: their pods may be created."""
        page = self._page(key)
        flown, page.flying = page.flying or {}, None
        page.listed.update(flown)
        complete = []
        for attempt, commit in flown.items():
            missing = self._missing.get(attempt, set())
            missing.discard(key)
            if not missing:
                self._missing.pop(attempt, None)
                complete.append(commit)
        return complete

    def stands(self, key: BudgetKey, commits: Iterable[Commit]) -> list[Commit]:
        """What the status lists now, under our epoch. If that is all that was being written, the write has succeeded: see `written`."""
        flying = self._page(key).flying
        listed = {commit.attempt for commit in commits}
        return self.written(key) if flying is not None and listed.issuperset(flying) else []

    def waits(self, key: BudgetKey) -> bool:
        """Whether something is to be written, or being written."""
        page = self._page(key)
        return bool(page.flying or (page.waiting and len(page.listed) < COMMITS))

    def failed(self, key: BudgetKey) -> None:
        """The write has failed; the same goes with the next batch."""
        page = self._page(key)
        page.waiting = {**(page.flying or {}), **page.waiting}
        page.flying = None

    def drop(self, attempt: Attempt) -> list[BudgetKey]:
        """Its pod was seen, or it does not take place. It leaves the status with the next write; returns the budgets that need one."""
        self._missing.pop(attempt, None)
        found = []
        for key, page in self._pages.items():
            places = (page.listed, page.flying or {}, page.waiting)
            if [place.pop(attempt) for place in places if attempt in place]:
                found.append(key)
        return found

    def remove_budget(self, key: BudgetKey) -> list[Commit]:
        """The budget is gone. Returns the admissions that waited for nothing but its list."""
        page = self._pages.pop(key, _Page())
        complete = []
        for attempt, commit in {**(page.flying or {}), **page.waiting}.items():
            missing = self._missing.get(attempt, {key})
            missing.discard(key)
            if not missing:
                self._missing.pop(attempt, None)
                complete.append(commit)
        return complete

    def _page(self, key: BudgetKey) -> _Page:
        return self._pages.setdefault(key, _Page())


@dataclass(frozen=True, slots=True)
class LeftOver:
    """What a new leader does with the commits it finds."""

    carry_out: tuple[Commit, ...]
    """Reserve it, create its pod."""
    drop: tuple[Commit, ...]


def left_over(
    listed: Mapping[BudgetKey, Sequence[Commit]], next_attempt: Callable[[str], int | None], budgets_of: Callable[[str], Collection[BudgetKey]]
) -> LeftOver:
    """Sort the commits that former leaders left, once all budgets hold the new epoch. What has a pod, was settled, or is not listed by all its
    budgets is dropped: nobody can create its pod any more.

    `next_attempt`: the attempt that a session would start next; None if none is to start, or the session is gone. `budgets_of`: the budgets that
    count the session."""
    found = {commit.attempt: commit for commits in listed.values() for commit in commits}
    lists = {key: {commit.attempt for commit in commits} for key, commits in listed.items()}
    carry_out: list[Commit] = []
    drop: list[Commit] = []
    for attempt, commit in found.items():
        wanted = next_attempt(attempt.uid) == attempt.number
        complete = wanted and all(attempt in lists.get(key, ()) for key in budgets_of(attempt.uid))
        (carry_out if complete else drop).append(commit)
    return LeftOver(tuple(carry_out), tuple(drop))
