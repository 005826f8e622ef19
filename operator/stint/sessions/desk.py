"""Where sessions and budgets meet: knows the sessions by their keys, and the budgets by their uids.

Closed as long as there is no budget: then sessions cost nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from stint.budgets.admissions import Admissions
from stint.budgets.budget import Budget, BudgetKey
from stint.budgets.facts import settled_attempts
from stint.budgets.spent_out import SpentOut
from stint.budgets.verdict import Verdict
from stint.engine.keys import Key
from stint.sessions.names import KIND
from stint.sessions.observed import Observed
from stint.sessions.subject import session_of, waiter_of

Clock = Callable[[], datetime]
Documents = Iterable[Mapping[str, Any]]
NOTHING: Mapping[BudgetKey, Documents] = MappingProxyType({})


class Desk:
    """``look``: look at this session again; ``publish``: the status of this budget is out of date."""

    def __init__(self, system_namespace: str, look: Callable[[Key], None], publish: Callable[[BudgetKey], None], clock: Clock) -> None:
        self.admissions = Admissions(system_namespace, self._wake, publish)
        self.namespaces: dict[str, Mapping[str, str]] = {}
        """Labels of namespaces."""
        self.open = False
        self._look = look
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._leaving: dict[str, datetime] = {}
        """Sessions that are to be deleted, and when that was seen."""

    def begin(
        self, seen: Iterable[Observed], budgets: Iterable[tuple[Budget, Mapping[str, Any]]], carried: Mapping[BudgetKey, Documents] = NOTHING
    ) -> None:
        """Open, with all sessions and all budgets that there are, and what the budgets have carried over."""
        self.open = True
        for each in seen:
            self.observe(each)
        statuses = {}
        for budget, status in budgets:
            self.admissions.put_budget(budget, self._clock(), status, carried.get(budget.key, ()))
            statuses[budget.key] = status
        self.admissions.begin(statuses)

    def observe(self, seen: Observed) -> None:
        """How far a session is now."""
        self._keys[seen.uid] = Key(KIND, seen.namespace, seen.name)
        session = session_of(seen, self.namespaces.get(seen.namespace, {}))
        if seen.resolved is None and seen.uid in self.admissions.ledger:  # its profile is missing just now: what it used stays where it is
            session = replace(session, subject=self.admissions.ledger.session(seen.uid).subject)
        self.admissions.observe(session, seen.now)

    def written(self, item: Mapping[str, Any]) -> None:
        """A session as the API server answered it to a write of ours: an attempt may have been settled."""
        uid = item["metadata"]["uid"]
        if uid in self.admissions.ledger:
            known = self.admissions.ledger.session(uid)
            self.admissions.observe(replace(known, settled=settled_attempts(item.get("status") or {}), running=None), self._clock())

    def ask(self, seen: Observed) -> Verdict | None:
        """May its next attempt start? See `Admissions.ask`."""
        return self.admissions.ask(waiter_of(seen), seen.now)

    def counted(self, seen: Observed) -> bool:
        """Whether a budget remembers what it uses."""
        return self.admissions.counted(seen.uid)

    def spent_out(self, seen: Observed) -> SpentOut | None:
        """Why its attempt that runs is to be stopped."""
        return self.admissions.spent_out(seen.uid, seen.now)

    def carry(self, seen: Observed) -> bool:
        """It is to be deleted: whether what it used is written down; its session is looked at again when it is."""
        return self.admissions.carry(seen.uid, seen.now)

    def leaving_since(self, seen: Observed) -> datetime:
        """When its deletion was first seen here."""
        return self._leaving.setdefault(seen.uid, seen.now)

    def may_have_pod(self, seen: Observed) -> bool:
        """Whether it may have a pod that nobody has told us of."""
        return seen.pod is None and self.admissions.may_have_pod(seen.uid)

    def withdraw(self, seen: Observed) -> None:
        """It is not to start now."""
        if seen.pod is None:
            self.admissions.withdraw(seen.uid, seen.now)

    def gone(self, uid: str) -> None:
        """The session is no longer there."""
        self._leaving.pop(uid, None)
        if self._keys.pop(uid, None) is not None:
            self.admissions.gone(uid, self._clock())

    def _wake(self, uid: str) -> None:
        if uid in self._keys:
            self._look(self._keys[uid])
