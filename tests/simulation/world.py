"""A cluster, and a controller that can be driven step by step, be killed and be started anew."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import pytest

import stint.assembly
from simulation.api import BUDGETS, SESSIONS, Api, Change, Write
from simulation.client import Crash, SimulatedClient
from simulation.cluster import Cluster
from simulation.pod_status import Json
from simulation.unopposed import Unopposed
from simulation.virtual_time import VirtualLoop
from stint.assembly import WATCHED_BY_KOPF, Assembly
from stint.engine.keys import Key
from stint.kube.resources import CONFIG_MAPS, NAMESPACES, NETWORK_POLICIES, PODS, SECRETS, Resource
from stint.settings import Settings

NAMESPACE, SYSTEM = "team-a", "stint-system"
INFORMED = (SESSIONS, PODS, NETWORK_POLICIES, BUDGETS, NAMESPACES)
WATCHED = (*WATCHED_BY_KOPF, *INFORMED)
SETTINGS = Settings(workers=0, system_namespace=SYSTEM)
"""No workers of its own: `World.work` takes their place, so that every step is ours to order."""
MOST_PASSES = 40
"""So often may one object be looked at without any time passing; more is a loop."""

MOST_TURNS = 10_000


class Spinning(AssertionError):
    """The controller looks at the same object again and again."""


class World:
    """Everything there is. Methods without ``async`` in their way: each runs the loop until its step is done."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.api = Api(self.loop.clock)
        self.cluster = Cluster(self.api)
        self.crashes = 0
        self._positions: dict[str, int] = {}
        self._boot()

    # The controller's process

    def _boot(self) -> None:
        self.client = SimulatedClient(self.api)
        self.assembly = Assembly(SETTINGS, client=self.client, clock=self.loop.clock, leadership=Unopposed())
        self._positions = {resource.plural: len(self.api.changes[resource.plural]) for resource in WATCHED_BY_KOPF}
        self._process = self.loop.create_task(self.assembly.run())
        self.loop.run(self._settle())
        for resource in WATCHED_BY_KOPF:
            self.relist(resource)

    def restart(self) -> None:
        """The process ends as it stands, and another one begins."""
        self.crashes += 1
        self._process.cancel()
        self.loop.run(asyncio.wait([self._process]))
        self.assembly.queue.close()
        self._boot()

    def close(self) -> None:
        self.assembly.queue.close()
        self.loop.stop_everything()

    # What the controller gets to see

    def relist(self, resource: Resource) -> None:
        """Kopf reads the whole list: it tells of everything that is there, and not of what has gone."""
        self._positions[resource.plural] = len(self.api.changes[resource.plural])
        for item in self.api.listing(resource, None, "")[0]:
            self.assembly.changed(resource, item, gone=False)

    def undelivered(self, resource: Resource) -> int:
        if resource in INFORMED:
            stream = self.client.streams.get(resource.plural)
            return stream.waiting if stream else 0
        return len(self.api.changes[resource.plural]) - self._positions[resource.plural]

    def deliver(self, resource: Resource, most: int = 1_000_000) -> None:
        """The next events of one watch, in the server's order."""
        self.hand_out(resource, most)
        self.loop.run(self._settle())

    def hand_out(self, resource: Resource, most: int = 1_000_000) -> None:
        """The same while the loop runs already."""
        if resource in INFORMED:
            stream = self.client.streams.get(resource.plural)
            if stream is not None:
                stream.deliver(most)
            return
        changes = self.api.changes[resource.plural]
        for _ in range(most):
            at = self._positions[resource.plural]
            if at >= len(changes):
                return
            self._positions[resource.plural] = at + 1
            self._tell(resource, changes[at])

    def _tell(self, resource: Resource, change: Change) -> None:
        self.assembly.changed(resource, change.item, gone=change.kind == "DELETED")

    def hand_out_all(self) -> None:
        for resource in WATCHED:
            self.hand_out(resource)

    def deliver_all(self) -> None:
        self.hand_out_all()
        self.loop.run(self._settle())

    def break_watch(self, resource: Resource, expired: bool) -> None:
        """A watch of an informer ends; with ``expired`` the list is read anew and what happened meanwhile is told by nobody."""
        stream = self.client.streams.get(resource.plural)
        if stream is not None:
            stream.break_off(expired)
        self.loop.run(self._settle())

    # What the controller does

    def work(self, most: int = 1_000_000) -> int:
        """Let the workers take keys until the line is empty; how many they took. A crash is followed by a new start."""
        try:
            return self.loop.run(self._work(most))
        except Crash:
            self.restart()
            return 0

    async def _work(self, most: int) -> int:
        queue, seen = self.assembly.queue, Counter[Key]()
        taken = 0
        await self._settle()
        while len(queue) and taken < most:
            key = await queue.take()
            try:
                await self.assembly.controller.reconcile(key)
            finally:
                queue.done(key)
            taken += 1
            seen[key] += 1
            if seen[key] > MOST_PASSES:
                raise Spinning(f"{key} was looked at {seen[key]} times without any time passing")
            await self._settle()
        return taken

    async def _settle(self) -> None:
        """Let everything run that is ready, timers of this very moment included."""
        for _ in range(MOST_TURNS):
            await asyncio.sleep(0)
            due = self._next_timer()
            if not self.loop._ready and (due is None or due > self.loop.time()):  # type: ignore[attr-defined]
                return
        raise Spinning("the event loop does not come to rest")

    def pass_time(self, seconds: float, *, working: bool = True) -> None:
        """Time passes; what is scheduled comes due at its moment."""
        end = self.loop.time() + seconds
        while (due := self._next_timer()) is not None and due <= end:
            self.loop.idle.passed = max(self.loop.time(), due)
            self.loop.run(self._settle())
            if working:
                self.work()
        self.loop.idle.passed = max(self.loop.time(), end)
        self.loop.run(self._settle())

    def _next_timer(self) -> float | None:
        timers = [timer.when() for timer in self.loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        return min(timers, default=None)

    def settle(self, rounds: int = 30) -> None:
        """Deliver and work until nothing moves any more, without letting time pass."""
        for _ in range(rounds):
            self.deliver_all()
            if not self.work() and not any(self.undelivered(resource) for resource in WATCHED):
                return
        raise Spinning("the world does not come to rest")

    def resync(self) -> list[Write]:
        """Look at every object once more; the writes that this led to."""
        before = len(self.api.writes)
        for resource, cache in self.assembly.caches.items():
            for item in self.api.of(resource):
                self.assembly.queue.add(Key(cache.kind, item["metadata"]["namespace"], item["metadata"]["name"]))
        self.settle()
        return self.api.writes[before:]

    # What users do

    def create(self, resource: Resource, name: str, spec: Json, *, namespace: str = NAMESPACE, **meta: Any) -> Json:
        return self.api.create(resource, namespace, {"metadata": {"name": name, **meta}, "spec": spec})

    def create_secret(self, name: str = "anthropic", key: str = "api-key", namespace: str = NAMESPACE) -> None:
        self.api.create(SECRETS, namespace, {"metadata": {"name": name}, "data": {key: "c2VjcmV0"}})

    def create_config_map(self, name: str, key: str, namespace: str = NAMESPACE) -> None:
        self.api.create(CONFIG_MAPS, namespace, {"metadata": {"name": name}, "data": {key: "text"}})

    def edit(self, name: str, **spec: Any) -> None:
        self.api.patch(SESSIONS, NAMESPACE, name, {"spec": spec})

    def session(self, name: str) -> Json:
        return self.api.get(SESSIONS, NAMESPACE, name)


W = TypeVar("W", bound=World)


@contextmanager
def quiet(make: Callable[[], W]) -> Iterator[W]:
    """A world whose controllers neither log nor collect garbage (a thousand starts in one process would be spent on that)."""
    patch = pytest.MonkeyPatch()
    patch.setattr(stint.assembly, "gc", _NoCollector())
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    world = make()
    try:
        yield world
    finally:
        world.close()
        logging.disable(level)
        patch.undo()


def quiet_world() -> AbstractContextManager[World]:
    """With one controller, which leads."""
    return quiet(World)


class _NoCollector:
    def collect(self) -> None: ...

    def freeze(self) -> None: ...
