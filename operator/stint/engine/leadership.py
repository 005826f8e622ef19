"""Takes part in the election by one Lease, and says whether we lead; `leader` decides.

The Lease is written by compare-and-swap on its version, and watched, so that a standby follows at once when it is released. Whoever has lost it ends
(`LeadershipLost`) and starts anew as standby: no part of a former leader goes on in the belief that it still leads.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from stint.engine.act import Target, post_event
from stint.engine.leader import RENEW_DEADLINE, RETRY_PERIOD, Lost, Sight, Wait, deadline, decide, held, read_lease, released
from stint.engine.plan import EventRecord
from stint.kube.client import KubeClient
from stint.kube.errors import ApiError, Conflict, NotFound, Unreachable
from stint.kube.resources import LEASES

log = logging.getLogger(__name__)

NAME = "stint-controller"
LEADER_ELECTION = "LeaderElection"
PATIENCE = RENEW_DEADLINE / 2
"""Seconds for one try, so that a connection that hangs leaves time for another."""
RELEASE_PATIENCE = 3.0
ANY_VERSION = "0"
"""A watch that begins with the Lease as it is: its own version may be too old for a watch."""


class LeadershipLost(Exception):
    """We may not act any more."""


def elapsed() -> float:
    """Seconds of a clock that only goes forward, also while the machine sleeps, where the system has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def own_identity() -> str:
    """This process, and no other that ever was: the host's name (in a cluster, the pod's) and something random."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


class Leadership:
    """One candidate for the Lease ``stint-controller`` of the system namespace."""

    def __init__(self, client: KubeClient, namespace: str, clock: Callable[[], datetime], seconds: Callable[[], float] = elapsed) -> None:
        self.identity = own_identity()
        self.won = asyncio.Event()
        """Set when we lead; never cleared, because who has lost ends."""
        self.since: datetime | None = None
        """When we became leader, for people."""
        self._client = client
        self._namespace = namespace
        self._clock = clock
        self._seconds = seconds
        self._item: dict[str, Any] | None = None
        self._sight: Sight | None = None
        self._news = asyncio.Event()
        self._renewed: float | None = None
        self._failed: float | None = None

    @property
    def leading(self) -> bool:
        """Whether we may act now."""
        return self._renewed is not None and self._seconds() < deadline(self._renewed)

    @property
    def overdue(self) -> bool:
        """Whether we led, and should have ended since."""
        return self._renewed is not None and not self.leading

    def check(self) -> None:
        """Raises `LeadershipLost` unless we may act now. Asked right before a request is sent that changes anything."""
        if not self.leading:
            raise LeadershipLost(f"{self.identity} does not lead")

    async def run(self) -> None:
        """Stand by, lead, and renew until cancelled. Raises `LeadershipLost`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._announce())
            await self._elect()

    async def release(self) -> None:
        """Let another one follow at once. To be called when nothing of ours acts any more; what cannot be released expires."""
        if self._renewed is None:
            return
        self._renewed = None
        try:
            async with asyncio.timeout(RELEASE_PATIENCE):
                item = await self._client.get(LEASES, self._namespace, NAME)
                lease = read_lease(item)
                if lease.holder == self.identity:
                    await self._client.replace(LEASES, self._namespace, NAME, {**item, "spec": released(lease, self._clock())})
                    log.info("%s has released the Lease", self.identity)
        except (ApiError, Unreachable, TimeoutError) as failure:
            log.warning("the Lease could not be released, and expires: %s", failure)

    async def _elect(self) -> None:
        while True:
            if self._sight is None:
                await self._news.wait()
                self._news.clear()
                continue
            decision = decide(self._sight, self.identity, self._seconds(), renewed=self._renewed, failed=self._failed)
            if isinstance(decision, Lost):
                self._renewed = None
                log.error("%s does not lead any more: %s", self.identity, decision.why)
                raise LeadershipLost(decision.why)
            if isinstance(decision, Wait):
                await self._news_until(decision.until)
            else:
                await self._write()

    async def _news_until(self, until: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, until - self._seconds())):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    async def _write(self) -> None:
        """One try to acquire or renew it. Whether a try without an answer has succeeded, the next look at the Lease shows."""
        begun = self._seconds()
        left = PATIENCE if self._renewed is None else min(PATIENCE, deadline(self._renewed) - begun)
        try:
            async with asyncio.timeout(left):
                try:
                    self._see(await self._hold())
                except (Conflict, NotFound):  # somebody was quicker
                    await self._look()
                    return
        except (ApiError, Unreachable, TimeoutError) as failure:
            self._failed = begun
            log.warning("the Lease %s/%s cannot be written: %s", self._namespace, NAME, failure or "no answer")
            return
        self._failed = None
        self._renewed = begun
        if not self.won.is_set():
            self.since = self._clock()
            log.info("%s leads", self.identity, extra={"leader": self.identity})
            self.won.set()

    async def _hold(self) -> dict[str, Any]:
        if self._item is None:
            item: dict[str, Any] = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME, "namespace": self._namespace}}
            return await self._client.create(LEASES, self._namespace, {**item, "spec": held(None, self.identity, self._clock())})
        spec = held(read_lease(self._item), self.identity, self._clock())
        return await self._client.replace(LEASES, self._namespace, NAME, {**self._item, "spec": spec})

    async def _look(self) -> None:
        try:
            self._see(await self._client.get(LEASES, self._namespace, NAME))
        except NotFound:
            self._see(None)

    def _see(self, item: dict[str, Any] | None) -> None:
        """The Lease as the API server has it; an older version than the one we know is no news."""
        if item is not None and self._item is not None and _version(item) <= _version(self._item):
            return
        lease = None if item is None else read_lease(item)
        before = None if self._sight is None else self._sight.lease
        if self._sight is None or lease != before:
            self._sight = Sight(lease, self._seconds())
        if lease is not None and lease.holder not in ("", self.identity) and (before is None or before.holder != lease.holder):
            log.info("standing by; %s leads", lease.holder, extra={"leader": lease.holder})
        self._item = item
        self._news.set()

    async def _watch(self) -> None:
        """Look at the Lease and at every change of it. A watch that broke is begun anew; meanwhile what was seen last grows old, as it should."""
        while True:
            silent = True
            try:
                await self._look()
                async for kind, item in self._client.watch(LEASES, namespace=self._namespace, name=NAME, version=ANY_VERSION):
                    silent = False
                    if kind != "BOOKMARK":
                        self._see(None if kind == "DELETED" else item)
            except (ApiError, Unreachable) as failure:
                log.warning("watching the Lease %s/%s: %s", self._namespace, NAME, failure)
                silent = True
            if silent:
                await asyncio.sleep(RETRY_PERIOD)

    async def _announce(self) -> None:
        """An Event on the Lease, as Kubernetes' own components write it."""
        await self.won.wait()
        assert self._item is not None
        said = EventRecord(LEADER_ELECTION, f"{self.identity} became leader")
        try:
            await post_event(self._client, said, Target(LEASES, "Lease", "coordination.k8s.io/v1", self._item))
        except Unreachable as failure:
            log.info("no Event says who leads: %s", failure)


def _version(item: Mapping[str, Any]) -> int:
    return int(item["metadata"]["resourceVersion"])
