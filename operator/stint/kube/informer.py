"""A list and watch of one resource, kept as a local copy by whoever is told.

Kopf's own event pipeline costs 10 to 35 times more per pod event than these lines; pods change four times for every change of a session. What is
kept of an object is the caller's choice, so that ten thousand pods stay small.

    list ──▶ watch ──(stream ends, 290 s)──▶ watch from the last version
      ▲        └──(410 Gone)──────────────────────┐
      └──── wait with backoff ◀──(broken, empty)──┘
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any, Protocol

from stint.kube.client import KubeClient
from stint.kube.errors import ApiError, Expired, NotFound, Unreachable
from stint.kube.resources import Resource

log = logging.getLogger(__name__)

MAX_BACKOFF = 15.0  # seconds
CATCH_UP_PATIENCE = 1.0  # seconds


class Listener(Protocol):
    """Whoever keeps the copy."""

    def take(self, item: dict[str, Any], gone: bool = False) -> None:
        """An object as it is now, or as it was when it disappeared."""

    def listed(self, uids: set[str], version: int) -> None:
        """These were all objects at this version: whatever is older and not among them is gone."""


class Informer:
    """Tells a listener of every object of a resource: all of them after a list, then each change, then each disappearance."""

    def __init__(self, client: KubeClient, resource: Resource, listener: Listener, *, selector: str = "") -> None:
        self._client = client
        self.resource = resource
        self._selector = selector
        self._listener = listener
        self.synced = asyncio.Event()
        self._told = asyncio.Event()
        self._version = 0
        """What has happened up to here was told."""
        self._there: set[str] = set()
        """Uids of all objects that were told of, but not of their end."""

    async def run(self) -> None:
        """List and watch until cancelled. Raises `NotFound` if the API server does not know the resource when it is first listed."""
        version, backoff = "", 0.0
        while True:
            try:
                if not version:
                    version = await list_all(self._client, self.resource, self, self._selector)
                    self.synced.set()
                silent = True
                async for kind, item in self._client.watch(self.resource, selector=self._selector, version=version):
                    version = item.get("metadata", {}).get("resourceVersion", "")
                    if not version:
                        raise Unreachable("an event without a version")
                    if kind != "BOOKMARK":
                        self.take(item, gone=kind == "DELETED")
                    self._version = int(version)
                    self._told.set()
                    silent, backoff = False, 0.0
                if not silent:
                    continue
            except NotFound as missing:
                if not self.synced.is_set():
                    raise
                log.warning("watching %s: %s", self.resource.plural, missing)
            except Expired as expired:
                version = ""
                if backoff == 0.0:  # once is ordinary; a server that always says so is in trouble
                    backoff = 0.1
                    continue
                log.warning("watching %s: %s", self.resource.plural, expired)
            except (Unreachable, ApiError) as failure:
                log.warning("watching %s: %s", self.resource.plural, failure)
            backoff = min(MAX_BACKOFF, backoff * 2 or 0.5)
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311

    async def catch_up(self) -> None:
        """Return when everything was told that had happened before this was called: a watch may lag. Raises `Unreachable` and `ApiError`."""
        before = set(self._there)
        versions = await self._client.versions(self.resource, selector=self._selector)
        newest, ended = max(versions.values(), default=0), before - versions.keys()
        try:
            async with asyncio.timeout(CATCH_UP_PATIENCE):
                while self._version < newest or not ended.isdisjoint(self._there):
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            log.warning("the watch on %s lags behind: listing anew", self.resource.plural)
            await list_all(self._client, self.resource, self, self._selector)

    def take(self, item: dict[str, Any], gone: bool = False) -> None:
        """Pass it on."""
        uid = item["metadata"]["uid"]
        if gone:
            self._there.discard(uid)
        else:
            self._there.add(uid)
        self._listener.take(item, gone=gone)

    def listed(self, uids: set[str], version: int) -> None:
        """Pass it on."""
        self._there, self._version = set(uids), version
        self._told.set()
        self._listener.listed(uids, version)


async def list_all(client: KubeClient, resource: Resource, listener: Listener, selector: str = "") -> str:
    """Tell the listener of everything there is; returns the version of the list."""
    uids: set[str] = set()
    version = ""
    async for items, page_version in client.pages(resource, selector=selector):
        version = page_version
        for item in items:
            uids.add(item["metadata"]["uid"])
            listener.take(item)
    listener.listed(uids, int(version))
    return version
