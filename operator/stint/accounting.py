"""How the cluster's news reach the budgets: RateBudgets, namespaces, what was carried over, and from the first budget on every session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from stint.api.base import InvalidObject
from stint.budgets.budget import Budget, BudgetKey, read_budget
from stint.budgets.kept import part_names, read_part
from stint.budgets.kind import KIND as BUDGET
from stint.engine.cache import ObjectCache
from stint.engine.controller import Clock
from stint.engine.keys import Key
from stint.engine.queue import WorkQueue
from stint.kube.errors import NotFound, Unreachable
from stint.kube.resources import CONFIG_MAPS
from stint.sessions.desk import Desk
from stint.sessions.names import KIND as SESSION
from stint.sessions.names import SESSION_LABEL
from stint.sessions.observe import World, in_caches

log = logging.getLogger(__name__)

RETRY = 2.0  # seconds


class Accounting:
    """Closed until `open` (or, later, the first budget): nothing is counted before everything has been listed and this is the leader."""

    def __init__(self, world: World, budgets: ObjectCache, queue: WorkQueue, desk: Desk, clock: Clock) -> None:
        self._world = world
        self._budgets = budgets
        self._queue = queue
        self.desk = desk
        self._clock = clock
        self._opened = False
        self._carried: dict[BudgetKey, list[dict[str, Any]]] = {}
        """What budgets carry over that could not be read yet: it counts when they can."""

    async def open(self) -> None:
        """This is the leader, and everything has been listed: count it, if there are budgets."""
        self._carried = await self._read_carried()
        self._opened = True
        if len(self._budgets):
            self._begin()

    # Budgets

    def budget_changed(self, item: dict[str, Any]) -> None:
        """A budget was added or edited, or its status was written. Raises `Superseded`, which ends the process: another one is the leader now."""
        if not self._opened:
            return
        if not self.desk.open:
            self._begin()
            return
        budget = _read(item)
        if budget is not None:
            self.desk.admissions.put_budget(budget, self._clock(), item.get("status") or {}, self._carried.pop(budget.key, ()))
            self.budget_written(item)

    def budget_written(self, item: dict[str, Any]) -> None:
        """What its status holds now."""
        meta = item["metadata"]
        self.desk.admissions.stands(BudgetKey(meta["namespace"], meta["name"]), item.get("status") or {}, self._clock())

    def budget_gone(self, key: Key) -> None:
        self._carried.pop(BudgetKey(key.namespace, key.name), None)
        if self.desk.open:
            self.desk.admissions.remove_budget(BudgetKey(key.namespace, key.name), self._clock())

    def part_written(self, item: dict[str, Any]) -> None:
        """A ConfigMap with what deleted sessions used."""
        self.desk.admissions.carried(*read_part(item))

    # Sessions

    def session_written(self, item: dict[str, Any]) -> None:
        """A session as the API server answered it to a write of ours: an attempt may have been settled."""
        if self.desk.open:
            self.desk.written(item)

    def session_gone(self, uid: str) -> None:
        self.desk.gone(uid)

    def pod_created(self, item: dict[str, Any]) -> None:
        """An attempt has a pod now."""
        if self.desk.open:
            meta = item["metadata"]
            seen = in_caches(self._world, Key(SESSION, meta["namespace"], meta["labels"][SESSION_LABEL]), self._clock())
            if seen is not None:
                self.desk.observe(seen)

    # Namespaces, as an informer tells of them

    def take(self, item: dict[str, Any], gone: bool = False) -> None:
        """The labels of a namespace: when they change, its sessions may count for other budgets."""
        meta, known = item["metadata"], self.desk.namespaces
        name, labels = meta["name"], meta.get("labels") or {}
        if gone:
            known.pop(name, None)
        elif known.get(name) != labels:
            known[name] = labels
            for key in self._world.sessions if self.desk.open else ():
                if key.namespace == name:
                    self._queue.add(key)

    def listed(self, uids: set[str], version: int) -> None:
        """A namespace that has gone has no sessions any more."""

    def _begin(self) -> None:
        now = self._clock()
        seen = (in_caches(self._world, key, now) for key in self._world.sessions)
        readable = list(self._readable())
        carried = {budget.key: self._carried.pop(budget.key) for budget, _ in readable if budget.key in self._carried}
        self.desk.begin((each for each in seen if each is not None), readable, carried)

    def _readable(self) -> Iterator[tuple[Budget, Mapping[str, Any]]]:
        """All budgets that can be read, with their status."""
        for item in self._items():
            budget = _read(item)
            if budget is not None:
                yield budget, item.get("status") or {}

    def _items(self) -> Iterator[dict[str, Any]]:
        for key in self._budgets:
            item = self._budgets.get(key.namespace, key.name)
            if item is not None:
                yield item

    async def _read_carried(self) -> dict[BudgetKey, list[dict[str, Any]]]:
        found: dict[BudgetKey, list[dict[str, Any]]] = {}
        parts = [self._read_part(item["metadata"]["namespace"], name) for item in self._items() for name in part_names(item)]
        for part in await asyncio.gather(*parts):
            if part is not None:
                key, _, document = read_part(part)
                found.setdefault(key, []).append(document)
        return found

    async def _read_part(self, namespace: str, name: str) -> dict[str, Any] | None:
        while True:
            try:
                return await self._world.client.get(CONFIG_MAPS, namespace, name)
            except NotFound:
                return None
            except Unreachable as failure:
                log.warning("reading ConfigMap %s/%s: %s; trying again in %.0f s", namespace, name, failure, RETRY)
                await asyncio.sleep(RETRY)


def budget_key(budget: BudgetKey) -> Key:
    """The engine's key of a budget."""
    return Key(BUDGET, budget.namespace, budget.name)


def _read(item: dict[str, Any]) -> Budget | None:
    """None for one that cannot be read; the version that was read before, if any, goes on."""
    try:
        return read_budget(item)
    except InvalidObject as problem:
        meta = item["metadata"]
        log.error("RateBudget %s/%s is not enforced as it is now: %s", meta["namespace"], meta["name"], problem)
        return None
