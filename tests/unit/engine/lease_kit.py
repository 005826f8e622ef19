"""One Lease at an API server, and candidates for it, each with a connection and a clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any

from simulation.virtual_time import VirtualLoop
from stint.engine.leadership import Leadership, LeadershipLost
from stint.kube.client import KubeClient
from stint.kube.errors import ApiError, Conflict, NotFound, Unreachable
from stint.kube.resources import Resource
from unit.engine.kit import Json, virtual

SYSTEM = "stint-system"


class LeaseServer:
    """Keeps one Lease, by compare-and-swap."""

    def __init__(self) -> None:
        self.item: Json | None = None
        self.version = 0
        self.changes: list[tuple[str, Json]] = []
        self.changed = asyncio.Condition()
        self.holders: list[str] = []
        """Who wrote it, in order, each as long as nobody else did."""

    async def write(self, body: Json, kind: str) -> Json:
        self.version += 1
        self.item = {**body, "metadata": {**body["metadata"], "uid": "l-1", "resourceVersion": str(self.version)}}
        holder = body["spec"]["holderIdentity"]
        if self.holders[-1:] != [holder]:
            self.holders.append(holder)
        await self._tell(kind, self.item)
        return self.item

    async def remove(self) -> None:
        assert self.item is not None
        self.version += 1
        gone, self.item = {**self.item, "metadata": {**self.item["metadata"], "resourceVersion": str(self.version)}}, None
        await self._tell("DELETED", gone)

    async def edit(self, **metadata: Any) -> None:
        assert self.item is not None
        await self.write({**self.item, "metadata": {**self.item["metadata"], **metadata}}, "MODIFIED")

    async def _tell(self, kind: str, item: Json) -> None:
        async with self.changed:
            self.changes.append((kind, item))
            self.changed.notify_all()


class Connection(KubeClient):
    """One candidate's way to the server."""

    def __init__(self, server: LeaseServer) -> None:
        super().__init__()
        self.server = server
        self.down = self.hangs = self.deaf = False
        """Nothing gets through; nothing is answered; the watch is silent."""
        self.refuses: ApiError | None = None
        self.lost_answers = 0
        """So many writes are done, but their answers do not arrive."""
        self.events: list[str] = []
        self.writes = self.watches = 0

    async def _reach(self) -> None:
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise Unreachable("connection refused")

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        await self._reach()
        if self.server.item is None:
            raise NotFound(404, "NotFound", name)
        return self.server.item

    async def create(self, resource: Resource, namespace: str, body: Json) -> Json:
        await self._reach()
        if resource.plural == "events":
            self.events.append(body["message"])
            return body
        return await self._write(body, "ADDED", self.server.item is None)

    async def replace(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        await self._reach()
        if self.server.item is None:
            raise NotFound(404, "NotFound", name)
        return await self._write(body, "MODIFIED", body["metadata"]["resourceVersion"] == self.server.item["metadata"]["resourceVersion"])

    async def _write(self, body: Json, kind: str, fits: bool) -> Json:
        self.writes += 1
        if self.refuses is not None:
            raise self.refuses
        if not fits:
            raise Conflict(409, "Conflict", "somebody was quicker")
        written = await self.server.write(body, kind)
        if self.lost_answers:
            self.lost_answers -= 1
            raise Unreachable("the answer was lost")
        return written

    async def watch(
        self, resource: Resource, *, version: str, selector: str = "", namespace: str | None = None, name: str = ""
    ) -> AsyncIterator[tuple[str, Json]]:
        await self._reach()
        self.watches += 1
        told = next((at for at, (_, item) in enumerate(self.server.changes) if int(item["metadata"]["resourceVersion"]) > int(version)), None)
        at = len(self.server.changes) if told is None else told
        while True:
            async with self.server.changed:
                while not self.down and (self.deaf or len(self.server.changes) <= at):
                    await self.server.changed.wait()
            if self.down:
                raise Unreachable("the watch broke")
            yield self.server.changes[at]
            at += 1


class Candidate:
    """A process that would lead."""

    def __init__(self, server: LeaseServer, loop: VirtualLoop) -> None:
        self.connection = Connection(server)
        self.slept = 0.0
        """Seconds that its clock has jumped: the process was stopped, and has not run a line of code since it woke."""
        self.skew = timedelta(0)
        """How wrong its wall clock is."""
        self.it = Leadership(self.connection, SYSTEM, lambda: loop.clock() + self.skew, lambda: loop.time() + self.slept)
        self.task: asyncio.Task[None] | None = None

    def start(self) -> Candidate:
        self.task = asyncio.create_task(self.it.run())
        return self

    async def kill(self) -> None:
        """At once, without a word."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def terminate(self) -> None:
        await self.kill()
        await self.it.release()

    @property
    def lost(self) -> str:
        """Why it has ended, empty while it runs."""
        if self.task is None or not self.task.done():
            return ""
        failure = self.task.exception()
        assert isinstance(failure, ExceptionGroup)
        [inner] = failure.exceptions
        assert isinstance(inner, LeadershipLost)
        return str(inner)


class Election:
    """A server and its candidates."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.server = LeaseServer()
        self.candidates: list[Candidate] = []

    def candidate(self) -> Candidate:
        self.candidates.append(Candidate(self.server, self.loop))
        return self.candidates[-1].start()

    async def leader_and_standby(self) -> tuple[Candidate, Candidate]:
        first = self.candidate()
        await first.it.won.wait()
        second = self.candidate()
        await asyncio.sleep(1)
        assert (first.it.leading, second.it.leading) == (True, False)
        return first, second


def election(work: Callable[[Election], Coroutine[Any, Any, None]]) -> None:
    """Run ``work`` in virtual time."""

    async def scenario(loop: VirtualLoop) -> None:
        it = Election(loop)
        try:
            await work(it)
        finally:
            for each in it.candidates:
                if each.task is not None and not each.task.done():
                    await each.kill()

    virtual(scenario)
