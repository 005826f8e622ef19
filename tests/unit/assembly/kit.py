"""What the tests of the controller put together start from: objects, an assembly that runs in virtual time, and a stand-in for the collector."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from simulation.unopposed import Unopposed
from simulation.virtual_time import VirtualLoop
from stint.assembly import Assembly
from stint.engine.keys import Key
from stint.settings import Settings
from unit.cluster_kit import Json, SmallCluster
from unit.engine.kit import thing, virtual

T = TypeVar("T")
PROFILE = Key("AgentProfile", "team-a", "coder")


class Collector:
    """Instead of the garbage collector of the test process."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def collect(self) -> None:
        self.asked.append("collect")

    def freeze(self) -> None:
        self.asked.append("freeze")


def pod(version: int = 1, uid: str = "p-1", owner: str = "u-1", phase: str = "Pending") -> Json:
    item = thing("fix-1", version, uid, status={"phase": phase})
    item["metadata"] |= {
        "labels": {"stint.dev/session": "fix", "stint.dev/attempt": "1"}, "ownerReferences": [{"uid": owner, "controller": True}],
    }  # fmt: skip
    return item


def policy(version: int = 1) -> Json:
    return thing("stint-agents", version, "n-1", spec={"podSelector": {}})


def profile(version: int = 1, uid: str = "f-1") -> Json:
    return thing("coder", version, uid, spec={})


async def line(assembly: Assembly) -> list[Key]:
    """Everything that waits to be looked at; the line is empty afterwards."""
    keys = []
    while len(assembly.queue):
        keys.append(await assembly.queue.take())
        assembly.queue.done(keys[-1])
    return keys


class Started:
    """An assembly of a small cluster, running."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.cluster = SmallCluster()
        self.assembly = Assembly(Settings(workers=2), self.cluster, leadership=Unopposed())


def with_assembly(work: Callable[[Started], Coroutine[Any, Any, T]]) -> T:
    async def scenario(loop: VirtualLoop) -> T:
        started = Started(loop)
        try:
            return await work(started)
        finally:
            await started.assembly.stop()

    return virtual(scenario)
