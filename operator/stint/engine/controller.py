"""The workers: take a key, observe, plan, act, and decide when to look again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from stint.engine.act import NOBODY, Client, Memory, ObjectGone, Target, Witness, act
from stint.engine.keys import Key
from stint.engine.leadership import LeadershipLost
from stint.engine.plan import Plan, Refusal
from stint.engine.queue import WorkQueue
from stint.kube.errors import ApiError, Conflict, Unreachable
from stint.telemetry.reconciles import Result, looked

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Look:
    """What `Kind.observe` found: the object and the plan made from everything gathered around it."""

    target: Target
    plan: Plan
    witness: Witness = NOBODY


class Kind(Protocol):
    """One kind's part: gather and decide. ``refusal`` is what the API server said to our last creation for this object."""

    name: str

    def look(self, key: Key, now: datetime, refusal: Refusal | None) -> Awaitable[Look | None]:
        """Observe and plan; None when the object is gone."""
        ...

    def vanished(self, key: Key, uid: str) -> None:
        """The API server does not know the object of this uid any more."""
        ...


class Controller:
    """Runs the plans of all kinds with a fixed number of workers."""

    def __init__(self, client: Client, queue: WorkQueue, memory: Memory, kinds: list[Kind], clock: Clock = utc_now) -> None:
        self._client = client
        self._queue = queue
        self._memory = memory
        self._kinds = {kind.name: kind for kind in kinds}
        self._clock = clock
        self._refusals: dict[Key, Refusal] = {}
        self.last_progress = time.monotonic()

    async def run(self, workers: int) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._queue.take()
            self.last_progress = time.monotonic()
            try:
                await self.reconcile(key)
            finally:
                self._queue.done(key)
                self.last_progress = time.monotonic()

    async def reconcile(self, key: Key) -> None:
        """One pass for one object; a failure schedules the next one and touches no other object. Raises `LeadershipLost`."""
        begun, result = time.perf_counter(), await self._reconcile(key)
        looked(key.kind, result, time.perf_counter() - begun)

    async def _reconcile(self, key: Key) -> Result:
        try:
            await self._pass(key)
        except ObjectGone as gone:
            self._kinds[key.kind].vanished(key, str(gone))
            self._queue.succeeded(key)
            return "gone"
        except Conflict as stale:
            log.debug("%s: seen too early, looking again: %s", key, stale)
            self._queue.failed(key)
            return "conflict"
        except (Unreachable, ApiError) as failure:
            log.warning("%s: %s; next try in %.1f s", key, failure, self._queue.failed(key))
            return "unreachable" if isinstance(failure, Unreachable) else "refused"
        except LeadershipLost:
            raise
        except Exception:
            log.exception("%s: a bug in the plan; next try in %.1f s", key, self._queue.failed(key))
            return "bug"
        self._queue.succeeded(key)
        return "done"

    async def _pass(self, key: Key) -> None:
        now = self._clock()
        look = await self._kinds[key.kind].look(key, now, self._refusals.pop(key, None))
        if look is None:
            return
        refusal = await act(self._client, look.plan, look.target, self._memory, look.witness)
        if refusal is not None:
            self._refusals[key] = refusal
            self._queue.add(key)
        elif look.plan.look_again is not None:
            self._queue.add_later(key, (look.plan.look_again - now).total_seconds())
