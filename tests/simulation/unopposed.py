"""A controller that leads from its start to its end, for all that has nothing to do with elections."""

from __future__ import annotations

import asyncio
import math

from stint.engine.controller import utc_now
from stint.engine.leadership import Leadership
from stint.kube.client import KubeClient


class Unopposed(Leadership):
    """There is no other candidate, and no Lease."""

    def __init__(self) -> None:
        super().__init__(KubeClient(), "", utc_now)
        self._renewed = math.inf
        self.won.set()

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def release(self) -> None:
        """There is nothing to release."""
