"""Probes that mean something.

Ready is that all caches are filled: a standby that could lead at once is ready. Alive is that the event loop answers; and for the leader, that its
workers make progress and that it renews its Lease.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from aiohttp import web

STUCK_AFTER = 120.0
"""Seconds without progress while keys wait in line."""


class Health:
    """Answers ``/healthz`` and ``/readyz``."""

    def __init__(
        self,
        ready: Callable[[], bool],
        waiting: Callable[[], int],
        last_progress: Callable[[], float],
        overdue: Callable[[], bool],
        more: Sequence[web.RouteDef] = (),
    ) -> None:
        """``waiting``: how many objects wait for workers that run; ``overdue``: whether this was the leader, and should have ended; ``more`` is
        served beside the probes."""
        self._ready = ready
        self._overdue = overdue
        self._waiting = waiting
        self._last_progress = last_progress
        self._more = more

    async def healthz(self, _: web.Request) -> web.Response:
        if self._overdue():
            return web.Response(status=500, text="the Lease was not renewed in time\n")
        idle = time.monotonic() - self._last_progress()
        stuck = self._waiting() > 0 and idle > STUCK_AFTER
        return web.Response(status=500 if stuck else 200, text=f"{self._waiting()} objects in line, last progress {idle:.0f} s ago\n")

    async def readyz(self, _: web.Request) -> web.Response:
        ready = self._ready()
        return web.Response(status=200 if ready else 503, text="ready\n" if ready else "the caches are not filled yet\n")

    async def start(self, port: int) -> web.AppRunner:
        """Serve on all addresses; the caller cleans the runner up."""
        app = web.Application()
        app.add_routes([web.get("/healthz", self.healthz), web.get("/readyz", self.readyz), *self._more])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - probes come from the node
        return runner
