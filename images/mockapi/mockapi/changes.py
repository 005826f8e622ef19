"""Waiting for something to become true, so that no test has to sleep and look again."""

import asyncio
from collections.abc import Callable


class Changes:
    """Whoever changes what others wait for calls `notify`; whoever waits says what must hold."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """True as soon as `holds()`, False if it does not within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True
