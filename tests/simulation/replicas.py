"""Two controllers in one world, of which one leads: each has a connection and a clock of its own, and can be stopped, cut off, killed, and started anew."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulation.api import Api
from simulation.client import SimulatedClient
from simulation.virtual_time import VirtualLoop
from simulation.world import SETTINGS, SYSTEM, WATCHED, World
from stint.assembly import WATCHED_BY_KOPF, Assembly
from stint.budgets.admissions import Superseded
from stint.engine.leadership import Leadership, LeadershipLost
from stint.kube.resources import LEASES, Resource


class Process:
    """One run of a controller."""

    def __init__(self, api: Api, loop: VirtualLoop) -> None:
        self._loop = loop
        self.skew = timedelta(0)
        """How wrong its wall clock is."""
        self.stopped_at: float | None = None
        """Since when it does not run (SIGSTOP): its clock stands for it, as it sees nothing of the time that passes."""
        self.stalled: asyncio.Task[None] | None = None
        """A worker whose request is on its way."""
        self.client = SimulatedClient(api)
        leadership = Leadership(self.client, SYSTEM, self.clock, self.seconds)
        self.assembly = Assembly(SETTINGS, client=self.client, clock=self.clock, leadership=leadership)
        self.positions = {resource.plural: len(api.changes[resource.plural]) for resource in WATCHED_BY_KOPF}
        self.task = loop.create_task(self.assembly.run())

    def clock(self) -> datetime:
        return self._loop.clock() + self.skew

    def seconds(self) -> float:
        return self._loop.time() if self.stopped_at is None else self.stopped_at

    @property
    def leads(self) -> bool:
        """Whether it runs, and its fence is open."""
        return self.stopped_at is None and not self.task.done() and self.assembly.leadership.leading


@dataclass
class Late:
    """A request of a process that has ended, and will arrive."""

    client: SimulatedClient
    worker: asyncio.Task[None]


class Replicas(World):
    """`hand(n)` takes a controller in hand: what `World` can do is done to it."""

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self.late: list[Late] = []
        self._at = 0
        super().__init__()
        self._at = 1
        self._boot()

    def _boot(self) -> None:
        process = Process(self.api, self.loop)
        self.processes[self._at : self._at + 1] = [process]
        self._take(process)
        self.loop.run(self._settle())
        for resource in WATCHED_BY_KOPF:
            self.relist(resource)

    def _take(self, process: Process) -> None:
        self.client, self.assembly, self._positions, self._process = process.client, process.assembly, process.positions, process.task

    def hand(self, at: int) -> Process:
        """This one from now on; one that has ended was started anew."""
        self._at = at
        self._take(self.processes[at])
        if self.processes[at].task.done():
            self.restart()
        return self.processes[at]

    def restart(self) -> None:
        """Killed without a word. What was sent may still arrive."""
        process = self.processes[self._at]
        if process.task.done() and not process.task.cancelled():
            failure = process.task.exception()
            assert isinstance(failure, ExceptionGroup)
            assert failure.split((LeadershipLost, Superseded))[1] is None, failure
        if process.stalled is not None and not process.stalled.done():
            self.late.append(Late(process.client, process.stalled))
        super().restart()

    def terminate(self) -> None:
        """Ended as kubelet does it, and started anew."""
        assembly = self.assembly
        self._process.cancel()
        self.loop.run(asyncio.wait([self._process]))
        self.loop.run(assembly.leadership.release())
        self.restart()

    def work(self, most: int = 1_000_000) -> int:
        """Of one that leads; one that finds that it does not any more has ended."""
        process = self.processes[self._at]
        if not self.assembly.acting or process.stopped_at is not None or process.stalled is not None:
            return 0
        try:
            return super().work(most)
        except LeadershipLost:
            self.restart()
            return 0

    def stall(self) -> None:
        """A worker begins, and its first request is on its way for a long time."""
        process = self.processes[self._at]
        if self.assembly.acting and len(self.assembly.queue) and process.stopped_at is None and process.stalled is None:
            process.client.through.clear()
            process.stalled = self.loop.create_task(_reconcile_one(process.assembly))
            self.loop.run(self._settle())

    def arrive(self) -> None:
        """All requests that are on their way."""
        late, self.late = self.late, []
        for process in self.processes:
            if process.stalled is not None:
                late.append(Late(process.client, process.stalled))
                process.stalled = None
        for each in late:
            each.client.through.set()
        self.loop.run(self._settle())
        for each in late:
            each.worker.cancel()
            self.loop.run(asyncio.wait([each.worker]))
            failure = None if each.worker.cancelled() else each.worker.exception()
            assert failure is None or isinstance(failure, LeadershipLost), failure

    def stop(self) -> None:
        """SIGSTOP."""
        process = self.processes[self._at]
        if process.stopped_at is None and process.stalled is None:
            process.stopped_at = self.loop.time()
            process.client.through.clear()

    def wake(self) -> None:
        """SIGCONT; the workers run before the election does."""
        process = self.processes[self._at]
        if process.stopped_at is None:
            return
        process.stopped_at = None
        process.client.through.set()
        if self.assembly.acting:
            worker = self.loop.create_task(_reconcile_all(self.assembly))
            self.loop.run(asyncio.wait([worker]))
            assert worker.exception() is None or isinstance(worker.exception(), LeadershipLost), worker.exception()
        self.loop.run(self._settle())

    def hand_out_all(self) -> None:
        super().hand_out_all()
        self._hand_out_lease()

    def hand_out_all_but(self, silent: Resource) -> None:
        """One watch lags."""
        for resource in WATCHED:
            if resource != silent:
                self.hand_out(resource)
        self._hand_out_lease()
        self.loop.run(self._settle())

    def _hand_out_lease(self) -> None:
        stream = self.client.streams.get(LEASES.plural)
        if stream is not None:
            stream.deliver(stream.waiting)


async def _reconcile_one(assembly: Assembly) -> None:
    """What a worker does with one key."""
    key = await assembly.queue.take()
    try:
        await assembly.controller.reconcile(key)
    finally:
        assembly.queue.done(key)


async def _reconcile_all(assembly: Assembly) -> None:
    """With all keys that wait, as long as nothing keeps it from it."""
    for _ in range(len(assembly.queue)):
        await _reconcile_one(assembly)
