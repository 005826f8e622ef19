"""A cluster in a few lines, for the tests of what is put together from parts: lists that are served, streams that stay open, writes that are kept."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import Any

from stint.kube.client import KubeClient
from stint.kube.errors import NotFound
from stint.kube.resources import Resource

Json = dict[str, Any]


class SmallCluster(KubeClient):
    """``trouble[plural]`` is raised by the next lists of that resource, one each."""

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, list[Json]] = defaultdict(list)
        self.version = 100
        self.trouble: dict[str, list[Exception]] = defaultdict(list)
        self.lists: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        """Lists of these resources wait until the gate is set."""
        self.statuses: list[tuple[str, str, Json]] = []
        self.patches: list[tuple[str, Json]] = []
        self.refuses: dict[str, Exception] = {}
        """What a patch of the object of this name raises."""
        self.events: dict[str, asyncio.Queue[tuple[str, Json] | Exception]] = defaultdict(asyncio.Queue)
        """What the watch on each resource tells."""

    async def pages(
        self, resource: Resource, namespace: str | None = None, *, selector: str = "", chunk: int = 500
    ) -> AsyncIterator[tuple[list[Json], str]]:
        self.lists.append(resource.plural)
        if resource.plural in self.gates:
            await self.gates[resource.plural].wait()
        if self.trouble[resource.plural]:
            raise self.trouble[resource.plural].pop(0)
        yield list(self.items[resource.plural]), str(self.version)

    async def versions(self, resource: Resource, *, selector: str = "") -> dict[str, int]:
        return {item["metadata"]["uid"]: int(item["metadata"]["resourceVersion"]) for item in self.items[resource.plural]}

    async def watch(
        self, resource: Resource, *, version: str, selector: str = "", namespace: str | None = None, name: str = ""
    ) -> AsyncIterator[tuple[str, Json]]:
        while True:
            event = await self.events[resource.plural].get()
            if isinstance(event, Exception):
                raise event
            yield event

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        for item in self.items[resource.plural]:
            if (item["metadata"]["namespace"], item["metadata"]["name"]) == (namespace, name):
                return item
        raise NotFound(404, "NotFound", f"no {name}")

    async def patch(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        self.patches.append((f"{namespace}/{name}", body))
        if name in self.refuses:
            raise self.refuses[name]
        return {}

    async def write_status(self, resource: Resource, namespace: str, name: str, *, version: str, uid: str, status: Mapping[str, Any]) -> Json:
        self.statuses.append((resource.plural, name, dict(status)))
        self.version += 1
        meta = {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": str(self.version)}
        return {"metadata": meta, "spec": {}, "status": dict(status)}
