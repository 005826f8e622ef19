"""The client of whoever leads: before each request that changes something it asks whether we still may.

What had been sent before we lost the Lease may still arrive. That is covered elsewhere: status, finalizers and what budgets keep are written by
compare-and-swap, and creations have names of which there can be only one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stint.kube.client import Json, KubeClient
from stint.kube.resources import Resource


class FencedClient:
    """``check`` raises when we may not write any more; nothing comes between it and the request."""

    def __init__(self, client: KubeClient, check: Callable[[], None]) -> None:
        self._client = client
        self._check = check

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        return await self._client.get(resource, namespace, name)

    async def create(self, resource: Resource, namespace: str, body: Json) -> Json:
        self._check()
        return await self._client.create(resource, namespace, body)

    async def write_status(self, resource: Resource, namespace: str, name: str, *, version: str, uid: str, status: Mapping[str, Any]) -> Json:
        self._check()
        return await self._client.write_status(resource, namespace, name, version=version, uid=uid, status=status)

    async def patch(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        self._check()
        return await self._client.patch(resource, namespace, name, body)

    async def patch_json(self, resource: Resource, namespace: str, name: str, operations: list[Json]) -> Json:
        self._check()
        return await self._client.patch_json(resource, namespace, name, operations)

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str | None = None, grace_seconds: int | None = None) -> Json:
        self._check()
        return await self._client.delete(resource, namespace, name, uid=uid, grace_seconds=grace_seconds)
