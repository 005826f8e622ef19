"""RateBudget for the engine: its status carries the commits, and tells what is spent and reserved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from stint.api.base import API_VERSION
from stint.budgets.admissions import Admissions
from stint.budgets.budget import BudgetKey
from stint.budgets.published import next_change
from stint.budgets.warnings import crossed, levels, warned_of
from stint.engine.act import Target
from stint.engine.cache import ObjectCache
from stint.engine.controller import Look
from stint.engine.keys import Key
from stint.engine.plan import Plan, Refusal
from stint.kube.resources import Resource

KIND = "RateBudget"
BUDGETS = Resource("stint.dev", "v1alpha1", "ratebudgets")
PUBLISH_EVERY = timedelta(seconds=1)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Budgets:
    """What the controller does with a budget's key: one write at a time, commits at once, the rest at most once a second."""

    name = KIND

    def __init__(self, cache: ObjectCache, admissions: Admissions) -> None:
        self._cache = cache
        self._admissions = admissions
        self._published: dict[BudgetKey, datetime] = {}
        self._warned: dict[BudgetKey, dict[str, dict[str, int]]] = {}
        """What was warned of in accounts that the status does not show."""

    async def look(self, key: Key, now: datetime, refusal: Refusal | None) -> Look | None:
        """Decide what time has made possible, and write down what has changed."""
        budget = BudgetKey(key.namespace, key.name)
        item = self._cache.get(key.namespace, key.name)
        if item is None or "deletionTimestamp" in item["metadata"] or budget not in self._admissions.ledger:
            self._published.pop(budget, None)
            self._warned.pop(budget, None)
            return None
        self._admissions.tick(now)
        target = Target(BUDGETS, KIND, API_VERSION, item)
        due = self._published.get(budget, LONG_AGO) + PUBLISH_EVERY
        if now < due and not self._admissions.urgent(budget):
            return Look(target, Plan(look_again=due))
        old = item.get("status") or {}
        status = self._admissions.status(budget, old, item["metadata"].get("generation", 0), now)
        accounts = list(self._admissions.ledger.accounts(budget))
        if status != old:
            self._published[budget] = now
        else:  # nothing to write, so no answer will tell: what was taken back and admitted again is still listed
            self._admissions.stands(budget, old, now)
        events = tuple(crossed(accounts, {**self._warned.get(budget, {}), **warned_of(old)}, now))
        self._warned[budget] = levels(accounts, now)
        later = [when for when in (self._admissions.next_wakeup(budget), next_change(accounts, now)) if when is not None]
        return Look(target, Plan(status=status, events=events, look_again=min(later, default=None)))

    def vanished(self, key: Key, uid: str) -> None:
        """Forget it."""
        self._cache.discard(key, uid)
