"""The one seam between controller and cluster: what `KubeClient` offers, answered from memory, with everything that can go wrong on the way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from simulation.api import Api, Change, matches
from simulation.pod_status import Json
from stint.kube.client import KubeClient
from stint.kube.errors import Expired, Unreachable
from stint.kube.resources import Resource

TURNS = 6
"""Of the event loop, until an informer has handed on what it was told."""


class Crash(BaseException):
    """The controller's process ends here. Not an `Exception`: nothing in the controller may survive it."""


class SimulatedClient(KubeClient):
    """One controller's connection to the API server; a new controller gets a new one."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api
        self.down = False
        """Nothing gets through."""
        self.crash_before: int | None = None
        """Crash instead of the n-th write from now (0: the next one)."""
        self.crash_after: int | None = None
        """Crash when the n-th write from now is done."""
        self.lost_answer: int | None = None
        """The n-th write from now is done, but its answer does not arrive."""
        self.meanwhile: deque[Callable[[], None]] = deque()
        """What happens while the next requests are under way: one before a request arrives, and for a write another before its answer does."""
        self.writes = 0
        """How many requests were made that change something, refused ones included."""
        self.streams: dict[str, Stream] = {}
        self.through = asyncio.Event()
        """Cleared: requests are on their way, and arrive when it is set."""
        self.through.set()

    # Reading

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        await self._reach()
        return self._api.get(resource, namespace, name)

    async def pages(
        self, resource: Resource, namespace: str | None = None, *, selector: str = "", chunk: int = 500
    ) -> AsyncIterator[tuple[list[Json], str]]:
        await self._reach()
        items, version = self._api.listing(resource, namespace, selector)
        for start in range(0, len(items) or 1, chunk):
            yield items[start : start + chunk], str(version)

    async def versions(self, resource: Resource, *, selector: str = "") -> dict[str, int]:
        await self._reach()
        return {item["metadata"]["uid"]: int(item["metadata"]["resourceVersion"]) for item in self._api.listing(resource, None, selector)[0]}

    async def watch(
        self, resource: Resource, *, version: str, selector: str = "", namespace: str | None = None, name: str = ""
    ) -> AsyncIterator[tuple[str, Json]]:
        await self._reach()
        stream = self.streams[resource.plural] = Stream(self._api, resource, selector, int(version))
        async for change in stream:
            yield change.kind, change.item

    async def log_tail(self, namespace: str, pod: str, container: str, lines: int) -> str:
        await self._reach()
        item = self._api.get(Resource("", "v1", "pods"), namespace, pod)
        return self._api.logs.get(item["metadata"]["uid"], "")

    # Writing

    async def create(self, resource: Resource, namespace: str, body: Json) -> Json:
        return await self._write(lambda: self._api.create(resource, namespace, body))

    async def write_status(self, resource: Resource, namespace: str, name: str, *, version: str, uid: str, status: Mapping[str, Any]) -> Json:
        return await self._write(lambda: self._api.write_status(resource, namespace, name, version=version, uid=uid, status=dict(status)))

    async def patch(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        return await self._write(lambda: self._api.patch(resource, namespace, name, body))

    async def replace(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        return await self._write(lambda: self._api.replace(resource, namespace, name, body))

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str | None = None, grace_seconds: int | None = None) -> Json:
        return await self._write(lambda: self._api.delete(resource, namespace, name, uid=uid, grace_seconds=grace_seconds))

    async def _write(self, do: Callable[[], Json]) -> Json:
        await self._reach()
        self.writes += 1
        if self._due("crash_before"):
            raise Crash
        crash, lost = self._due("crash_after"), self._due("lost_answer")
        try:
            answer = do()
        finally:
            if crash:
                raise Crash
            await self._let_happen()
        if lost:
            raise Unreachable("the answer was lost")
        return answer

    def _due(self, name: str) -> bool:
        left = getattr(self, name)
        if left is None:
            return False
        setattr(self, name, left - 1 if left else None)
        return bool(left == 0)

    async def _let_happen(self) -> None:
        if self.meanwhile:
            self.meanwhile.popleft()()
            for _ in range(TURNS):
                await asyncio.sleep(0)

    async def _reach(self) -> None:
        await asyncio.sleep(0)  # every request gives others a turn
        await self.through.wait()
        await self._let_happen()
        if self.down:
            raise Unreachable("connection refused")


class Stream:
    """One watch: hands out changes when it is told to, in the server's order."""

    def __init__(self, api: Api, resource: Resource, selector: str, version: int) -> None:
        self._changes = api.changes[resource.plural]
        self._selector = selector
        self._at = next((index for index, change in enumerate(self._changes) if change.version > version), len(self._changes))
        self._allowed = 0
        self._end: Exception | None = None
        self._more = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many changes were not handed out yet."""
        return len(self._changes) - self._at

    def deliver(self, count: int) -> None:
        self._allowed += min(count, self.waiting - self._allowed)
        self._more.set()

    def break_off(self, expired: bool) -> None:
        """The stream ends: so that the list has to be read anew (410), or just so."""
        self._end = Expired(410, "Expired", "too old resource version") if expired else Unreachable("the watch broke")
        self._more.set()

    async def __aiter__(self) -> AsyncIterator[Change]:
        while True:
            while self._allowed:
                change = self._changes[self._at]
                self._at += 1
                self._allowed -= 1
                if matches(change.item, self._selector):
                    yield change
            if self._end is not None:
                raise self._end
            self._more.clear()
            await self._more.wait()
