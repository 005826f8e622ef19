"""The client of whoever leads: before each request that changes something it asks whether we still may.

What had been sent before we lost the Lease may still arrive. That is covered elsewhere: status, finalizers and what budgets keep are written by
compare-and-swap, and creations have names of which there can be only one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stint.kube.client import Json, KubeClient
from stint.kube.pool import before_sending
from stint.kube.resources import Resource


class FencedClient:
    """``check`` raises when we may not write any more. Asked at once, and again when the request has its connection."""

    def __init__(self, client: KubeClient, check: Callable[[], None]) -> None:
        self._client = client
        self._check = check

    @contextmanager
    def _fence(self) -> Iterator[None]:
        self._check()
        before = before_sending.set(self._check)
        try:
            yield
        finally:
            before_sending.reset(before)

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        return await self._client.get(resource, namespace, name)

    async def create(self, resource: Resource, namespace: str, body: Json) -> Json:
        with self._fence():
            return await self._client.create(resource, namespace, body)

    async def write_status(self, resource: Resource, namespace: str, name: str, *, version: str, uid: str, status: Mapping[str, Any]) -> Json:
        with self._fence():
            return await self._client.write_status(resource, namespace, name, version=version, uid=uid, status=status)

    async def patch(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        with self._fence():
            return await self._client.patch(resource, namespace, name, body)

    async def patch_json(self, resource: Resource, namespace: str, name: str, operations: list[Json]) -> Json:
        with self._fence():
            return await self._client.patch_json(resource, namespace, name, operations)

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str | None = None, grace_seconds: int | None = None) -> Json:
        with self._fence():
            return await self._client.delete(resource, namespace, name, uid=uid, grace_seconds=grace_seconds)
