"""What this replica has let in and the budgets' status does not show yet, so that a flood within a second finds the limit, too.

A guess, and kept on the generous side: what is refused here by mistake is a user's trouble, what is let in by mistake waits or fails in the
controller.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from stint.budgets.amounts import Amounts
from stint.budgets.budget import BudgetKey
from stint.budgets.facts import Running

Place = tuple[BudgetKey, tuple[str, ...]]
"""An account of a budget."""
SEEN_AFTER = timedelta(milliseconds=300)
"""So long after a session was let in, the next publication knows of it."""
FORGOTTEN_AFTER = timedelta(seconds=3)
"""One that does not start, for whatever reason, is never published. Each that is remembered costs time at every question about its account."""


class Recent:
    """Requests by account and session. A session counts once, however often somebody tries to create it: the API server may refuse it after us,
    for example because there is one of that name."""

    def __init__(self) -> None:
        self._by_budget: dict[BudgetKey, dict[tuple[str, ...], dict[str, Running]]] = {}
        self._tidied = datetime.min.replace(tzinfo=UTC)

    def note(self, session: str, places: Iterable[Place], request: Amounts, now: datetime) -> None:
        """A session (namespace and name) was let in."""
        if not _younger(self._tidied, FORGOTTEN_AFTER, now):  # accounts that nobody asks for again are to go, too
            self._tidied = now
            for budget in tuple(self._by_budget):
                self._keep(budget, FORGOTTEN_AFTER, now)
        for budget, account in places:
            held = self._by_budget.setdefault(budget, {}).setdefault(account, {})
            held.pop(session, None)  # the newest stands last
            held[session] = Running(1, now, request)

    def of(self, place: Place, now: datetime) -> list[Running]:
        """What was let into an account, in the order of time."""
        budget, account = place
        held = self._by_budget.get(budget, {}).get(account, {})
        return [running for running in held.values() if _younger(running.start, FORGOTTEN_AFTER, now)]

    def published(self, budget: BudgetKey, now: datetime) -> None:
        """The budget's status has new figures."""
        if budget in self._by_budget:
            self._keep(budget, SEEN_AFTER, now)

    def _keep(self, budget: BudgetKey, age: timedelta, now: datetime) -> None:
        """Only what is younger."""
        kept: dict[tuple[str, ...], dict[str, Running]] = {}
        for account, held in self._by_budget[budget].items():
            if young := {session: running for session, running in held.items() if _younger(running.start, age, now)}:
                kept[account] = young
        if kept:
            self._by_budget[budget] = kept
        else:
            del self._by_budget[budget]


def _younger(start: datetime, age: timedelta, now: datetime) -> bool:
    """Whatever the clock does: what lies in the future is not young, else a clock that goes back would hold it for as long."""
    return abs(now - start) < age
