"""Memory for request bodies, shared by all requests of a pod.

Bodies have to be held whole, because the model's name stands in them. An agent that sends many large ones at once would have the gateway killed for
its memory; instead they wait for each other. Who waits is the agent itself and nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """So many bytes for everybody together."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def of(self, wanted: int) -> AsyncIterator[None]:
        """Wait until there is room for so many bytes (at most for all there are), and keep it while inside."""
        taken = min(wanted, self._size)
        async with self._freed:
            await self._freed.wait_for(lambda: self._free >= taken)
            self._free -= taken
        try:
            yield
        finally:
            self._free += taken
            async with self._freed:
                self._freed.notify_all()
