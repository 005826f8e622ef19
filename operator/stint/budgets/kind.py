"""RateBudget for the engine: its status carries the commits, and tells what is spent and reserved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from stint.api.base import API_VERSION
from stint.budgets.admissions import Admissions
from stint.budgets.budget import BudgetKey
from stint.budgets.kept import part_manifest
from stint.budgets.published import next_change
from stint.budgets.reasons import USAGE_NOT_WRITTEN
from stint.budgets.warnings import crossed
from stint.engine.act import Target
from stint.engine.cache import ObjectCache
from stint.engine.controller import Look
from stint.engine.keys import Key
from stint.engine.plan import REFUSED_RETRY, Create, EventRecord, Plan, Refusal
from stint.kube.resources import CONFIG_MAPS, Resource

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
        self._refused: dict[BudgetKey, datetime] = {}
        """When the API server would not have what deleted sessions used; it is asked again later."""

    async def look(self, key: Key, now: datetime, refusal: Refusal | None) -> Look | None:
        """Decide what time has made possible, and write down what has changed."""
        budget = BudgetKey(key.namespace, key.name)
        item = self._cache.get(key.namespace, key.name)
        if item is None or "deletionTimestamp" in item["metadata"] or budget not in self._admissions.ledger:
            self._published.pop(budget, None)
            return None
        self._admissions.tick(now)
        if refusal is not None:
            self._refused[budget] = now
        may_create = self._refused.get(budget, LONG_AGO) + timedelta(seconds=REFUSED_RETRY)
        target = Target(BUDGETS, KIND, API_VERSION, item)
        due = self._published.get(budget, LONG_AGO) + PUBLISH_EVERY
        parts = self._admissions.unwritten(budget, now) if now >= may_create else {}
        old, create, told = item.get("status") or {}, _config_maps(item, parts), _told(refusal)
        if now < due:
            status = {**old, **self._admissions.committed(budget)} if self._admissions.urgent(budget) else None
            return Look(target, Plan(status=status, create=create, events=told, look_again=due))
        status = self._admissions.status(budget, old, item["metadata"].get("generation", 0), now)
        accounts = list(self._admissions.ledger.accounts(budget))
        if status != old:
            self._published[budget] = now
        later = [self._admissions.next_wakeup(budget), next_change(accounts, now), may_create if now < may_create else None]
        again = min((when for when in later if when is not None), default=None)
        return Look(target, Plan(status=status, create=create, events=(*crossed(accounts, old, now), *told), look_again=again))

    def vanished(self, key: Key, uid: str) -> None:
        """Forget it."""
        self._cache.discard(key, uid)


def _config_maps(item: Mapping[str, Any], parts: Mapping[int, Mapping[str, Any]]) -> tuple[Create, ...]:
    return tuple(Create(CONFIG_MAPS, part_manifest(item, part, document), shared=True) for part, document in parts.items())


def _told(refusal: Refusal | None) -> tuple[EventRecord, ...]:
    if refusal is None:
        return ()
    message = f"what deleted sessions used cannot be written down: the API server refused {refusal.kind} {refusal.name}: {refusal.message}"
    return (EventRecord(USAGE_NOT_WRITTEN, message, warning=True),)
