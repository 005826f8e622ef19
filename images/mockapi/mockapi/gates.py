"""Gates: a step waits at one until a test opens it. Both sides wait for events, so neither has to sleep."""

import asyncio
from collections.abc import Awaitable, Callable

from mockapi.changes import Changes

Ping = Callable[[], Awaitable[None]]

PING_SECONDS = 10.0


class Gates:
    """Gates by name. A gate that nobody opened is closed; an open one stays open until it is closed again."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._released: dict[str, asyncio.Event] = {}
        self._waiting: dict[str, int] = {}
        self._arrivals = Changes()

    def open(self, name: str) -> None:
        """Lets everybody pass who waits now or comes later."""
        self._open.add(name)
        if name in self._released:
            self._released.pop(name).set()

    def close(self, name: str) -> None:
        self._open.discard(name)

    def close_all(self) -> None:
        self._open.clear()

    def waiting(self, name: str) -> int:
        return self._waiting.get(name, 0)

    async def arrived(self, name: str, count: int, seconds: float) -> bool:
        """Waits until `count` requests wait at the gate."""
        return await self._arrivals.until(lambda: self.waiting(name) >= count, seconds)

    async def wait(self, name: str, ping: Ping | None = None) -> None:
        """Returns when the gate opens. `ping` keeps a stream alive meanwhile, as the API does while a model thinks."""
        if name in self._open:
            return
        released = self._released.setdefault(name, asyncio.Event())
        self._waiting[name] = self.waiting(name) + 1
        self._arrivals.notify()
        try:
            while not released.is_set():
                try:
                    async with asyncio.timeout(PING_SECONDS if ping else None):
                        await released.wait()
                except TimeoutError:
                    if ping:
                        await ping()
        finally:
            self._waiting[name] -= 1
            if not self._waiting[name]:
                del self._waiting[name]
                if self._released.get(name) is released:
                    del self._released[name]

    def as_json(self) -> dict[str, dict[str, object]]:
        return {name: {"open": name in self._open, "waiting": self.waiting(name)} for name in sorted(self._open | set(self._waiting))}
