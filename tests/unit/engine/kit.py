"""What the engine's tests share: virtual time, objects, and an API server that answers as it is told and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from simulation.virtual_time import VirtualLoop
from stint.engine.act import Target
from stint.engine.keys import Key
from stint.kube.client import KubeClient
from stint.kube.resources import Resource

T = TypeVar("T")
Json = dict[str, Any]
THINGS = Resource("stint.dev", "v1alpha1", "agentsessions")
DEADLINE = 24 * 3600.0  # seconds of virtual time


def virtual(work: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run ``work`` in a loop whose time passes only while everybody waits; whatever hangs fails after a virtual day."""
    loop = VirtualLoop()

    async def within_a_day() -> T:
        async with asyncio.timeout(DEADLINE):
            return await work(loop)

    try:
        return loop.run(within_a_day())
    finally:
        loop.stop_everything()


def key(name: str = "fix", kind: str = "AgentSession", namespace: str = "team-a") -> Key:
    return Key(kind, namespace, name)


def thing(name: str = "fix", version: int = 1, uid: str = "u-1", namespace: str = "team-a", **fields: Any) -> Json:
    """An object as the API server would send it."""
    return {"metadata": {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": str(version)}, **fields}


def target(**fields: Any) -> Target:
    return Target(THINGS, "AgentSession", "stint.dev/v1alpha1", thing(**fields))


class ScriptedClient(KubeClient):
    """``asked`` is every request in order, as (verb, name); ``fails[verb]`` is raised, ``there`` is what a GET finds."""

    def __init__(self, **fails: Exception) -> None:
        super().__init__()
        self.fails = fails
        self.there: Json = thing()
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[Any] = []

    def _answer(self, verb: str, name: str, body: Any, answer: Json) -> Json:
        self.asked.append((verb, name))
        self.bodies.append(body)
        if verb in self.fails:
            raise self.fails[verb]
        return answer

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        return self._answer("get", name, None, self.there)

    async def create(self, resource: Resource, namespace: str, body: Json) -> Json:
        verb = "event" if resource.plural == "events" else "create"
        return self._answer(verb, body.get("reason") or body["metadata"]["name"], body, {"created": body})

    async def write_status(self, resource: Resource, namespace: str, name: str, *, version: str, uid: str, status: Mapping[str, Any]) -> Json:
        return self._answer("status", name, {"version": version, "uid": uid, "status": status}, {"written": dict(status)})

    async def patch(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        return self._answer("patch", name, body, {"patched": body})

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str | None = None, grace_seconds: int | None = None) -> Json:
        return self._answer("delete", name, {"uid": uid, "grace_seconds": grace_seconds}, {})


class Notes:
    """A `Memory` that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Any]] = []

    def feed(self, resource: Resource, item: Json) -> None:
        self.told.append(("feed", resource.plural, item))

    def found(self, resource: Resource, item: Json) -> None:
        self.told.append(("found", resource.plural, item))

    def missing(self, resource: Resource, uid: str) -> None:
        self.told.append(("missing", resource.plural, uid))
