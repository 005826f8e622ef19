"""The beginning of a leader: it decides nothing before every budget holds its epoch, because until then a former leader may have decided in between.

The epoch is written by compare-and-swap. A write that fails was preceded by one of the former leader's, and what that one committed is left over as
well: so what a budget lists is read anew with every version of it that is seen, until the epoch stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stint.budgets.budget import BudgetKey
from stint.budgets.commits import Commit, read_commits


class Joining:
    """Over from the start, until `begin`."""

    def __init__(self) -> None:
        self.missing: set[BudgetKey] = set()
        """Budgets that do not hold our epoch yet."""
        self.left: dict[BudgetKey, tuple[Commit, ...]] = {}
        """What former leaders have left in each."""
        self._kept_out: dict[str, None] = {}

    @property
    def over(self) -> bool:
        """Whether all hold it."""
        return not self.missing

    def begin(self, statuses: Mapping[BudgetKey, Mapping[str, Any]]) -> None:
        """With these budgets, as they are seen first."""
        self.missing = set(statuses)
        self.left = {key: read_commits(status) for key, status in statuses.items()}

    def seen(self, key: BudgetKey, status: Mapping[str, Any]) -> tuple[Commit, ...] | None:
        """The status of a budget as a former leader has written it meanwhile: what it lists now. None: we need not know."""
        if key not in self.missing:
            return None
        self.left[key] = read_commits(status)
        return self.left[key]

    def joined(self, key: BudgetKey) -> bool:
        """A budget holds our epoch. True if it was the last one."""
        if key not in self.missing:
            return False
        self.missing.discard(key)
        return self.over

    def removed(self, key: BudgetKey) -> None:
        """The budget is gone, and what it lists."""
        self.left.pop(key, None)

    def keep_out(self, uid: str) -> None:
        """A session asks too early; it is woken when this is over."""
        self._kept_out[uid] = None

    def withdraw(self, uid: str) -> None:
        """It does not ask any more."""
        self._kept_out.pop(uid, None)

    def end(self) -> Iterable[str]:
        """Nothing is left over any more; the sessions to wake."""
        woken, self._kept_out = tuple(self._kept_out), {}
        self.left = {}
        return woken
