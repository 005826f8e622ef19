"""RateBudget for the engine: its status carries the commits, and tells what is spent and reserved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from stint.api.base import API_VERSION
from stint.budgets.admissions import Admissions
from stint.budgets.budget import BudgetKey
from stint.budgets.kept import part_manifest
from stint.budgets.published import next_change
from stint.budgets.reasons import USAGE_NOT_WRITTEN
from stint.budgets.warnings import crossed, levels, warned_of
from stint.engine.act import Target
from stint.engine.cache import ObjectCache
from stint.engine.controller import Look
from stint.engine.keys import Key
from stint.engine.plan import REFUSED_RETRY, Create, EventRecord, Plan, Refusal
from stint.kube.resources import CONFIG_MAPS, Resource

KIND = "RateBudget"
BUDGETS = Resource("stint.dev", "v1alpha1", "ratebudgets")
PUBLISH_EVERY = timedelta(seconds=1)
COMMIT_EVERY = timedelta(seconds=0.5)
"""Between two writes of admissions while others stand in line: who was let in after a wait does not mind, and a write for each would cost more than
a place that is filled half a second later. Who finds room at once is written at once."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass
class Past:
    """What was done about a budget so far."""

    published: datetime = LONG_AGO
    committed: datetime = LONG_AGO
    """When admissions were last written, or would have been."""
    refused: datetime = LONG_AGO
    """When the API server would not have what deleted sessions used; it is asked again later."""
    warned: dict[str, dict[str, int]] = field(default_factory=dict)
    """What was warned of in accounts that the status does not show."""


class Budgets:
    """What the controller does with a budget's key: one write at a time, commits at once, the rest at most once a second."""

    name = KIND

    def __init__(self, cache: ObjectCache, admissions: Admissions) -> None:
        self._cache = cache
        self._admissions = admissions
        self._pasts: dict[BudgetKey, Past] = {}

    async def look(self, key: Key, now: datetime, refusal: Refusal | None) -> Look | None:
        """Decide what time has made possible, and write down what has changed."""
        budget = BudgetKey(key.namespace, key.name)
        item = self._cache.get(key.namespace, key.name)
        if item is None or budget not in self._admissions.ledger:
            self._pasts.pop(budget, None)
            return None
        past = self._pasts.setdefault(budget, Past())
        if refusal is not None:
            past.refused = now
        self._admissions.tick(now)
        due = past.published + PUBLISH_EVERY
        plan = self._publish(budget, item, past, now) if now >= due else self._commit(budget, item, past, due, now)
        create, again = self._config_maps(budget, item, past, now)
        later = min((when for when in (plan.look_again, again) if when is not None), default=None)
        plan = Plan(status=plan.status, create=create, events=(*plan.events, *_told(refusal)), look_again=later)
        return Look(Target(BUDGETS, KIND, API_VERSION, item), plan)

    def _commit(self, budget: BudgetKey, item: dict[str, Any], past: Past, due: datetime, now: datetime) -> Plan:
        """Only what somebody waits for; the rest was written less than a second ago."""
        if not self._admissions.urgent(budget):
            return Plan(look_again=due)
        again = past.committed + COMMIT_EVERY
        if self._admissions.crowded(budget) and now < again:
            return Plan(look_again=min(again, due))
        old = item.get("status") or {}
        status = {**old, **self._admissions.committed(budget)}
        past.committed = now
        self._written_already(budget, old, status, now)
        return Plan(status=status, look_again=due)

    def _written_already(self, budget: BudgetKey, old: dict[str, Any], status: dict[str, Any], now: datetime) -> None:
        """Where there is nothing to write no answer will tell: what was taken back and admitted again is still listed."""
        if status == old:
            self._admissions.stands(budget, old, now)

    def _publish(self, budget: BudgetKey, item: dict[str, Any], past: Past, now: datetime) -> Plan:
        """Everything."""
        old = item.get("status") or {}
        self._admissions.ledger.sweep(budget, now)
        self._admissions.stop_spent(budget, now)
        status = self._admissions.status(budget, old, item["metadata"].get("generation", 0), now)
        accounts = list(self._admissions.ledger.accounts(budget))
        if status != old:
            past.published = past.committed = now
        self._written_already(budget, old, status, now)
        events = tuple(crossed(accounts, {**past.warned, **warned_of(old)}, now))
        past.warned = levels(accounts, now)
        later = [when for when in (self._admissions.next_wakeup(budget), next_change(accounts, now)) if when is not None]
        return Plan(status=status, events=events, look_again=min(later, default=None))

    def _config_maps(self, budget: BudgetKey, item: dict[str, Any], past: Past, now: datetime) -> tuple[tuple[Create, ...], datetime | None]:
        """What deleted sessions used, as far as it is to be written; and when to try again."""
        parts: Mapping[int, Mapping[str, Any]] = self._admissions.unwritten(budget, now)
        again = past.refused + timedelta(seconds=REFUSED_RETRY) if past.refused != LONG_AGO else LONG_AGO
        if parts and now < again:
            return (), again
        return tuple(Create(CONFIG_MAPS, part_manifest(item, part, document), shared=True) for part, document in parts.items()), None

    def vanished(self, key: Key, uid: str) -> None:
        """Forget it."""
        self._cache.discard(key, uid)


def _told(refusal: Refusal | None) -> tuple[EventRecord, ...]:
    if refusal is None:
        return ()
    message = f"what deleted sessions used cannot be written down: the API server refused {refusal.kind} {refusal.name}: {refusal.message}"
    return (EventRecord(USAGE_NOT_WRITTEN, message, warning=True),)
