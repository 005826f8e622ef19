"""What this replica has let in and the budgets' status does not show yet, so that a flood within a second finds the limit, too.

A guess, and kept on the generous side: what is refused here by mistake is a user's trouble, what is let in by mistake waits or fails in the
controller.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

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
    """Requests by account."""

    def __init__(self) -> None:
        self._by_budget: dict[BudgetKey, dict[tuple[str, ...], list[Running]]] = {}

    def note(self, places: Iterable[Place], request: Amounts, now: datetime) -> None:
        """A session was let in."""
        for budget, account in places:
            self._by_budget.setdefault(budget, {}).setdefault(account, []).append(Running(1, now, request))

    def of(self, place: Place, now: datetime) -> list[Running]:
        """What was let into an account."""
        budget, account = place
        accounts = self._by_budget.get(budget)
        if not accounts or account not in accounts:
            return []
        kept = [running for running in accounts[account] if now - running.start < FORGOTTEN_AFTER]
        if kept:
            accounts[account] = kept
        else:
            del accounts[account]
        return kept

    def published(self, budget: BudgetKey, now: datetime) -> None:
        """The budget's status has new figures."""
        young = {
            account: [running for running in each if now - running.start < SEEN_AFTER] for account, each in self._by_budget.get(budget, {}).items()
        }
        self._by_budget[budget] = {account: each for account, each in young.items() if each}
        if not self._by_budget[budget]:
            del self._by_budget[budget]
