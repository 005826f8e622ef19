"""Which objects need a look, each at most once at a time.

A key is in one of three places: waiting in line, in the hands of one worker, or scheduled for later. A key that changes while a worker has it
goes back in line when the worker is done, so no change is lost and no object is worked on twice at once.

There are two lines. Who waits for something to begin stands in the first, bookkeeping (news of pods that run already) in the second; of five keys
taken, one comes from the second, so that a burst of new objects begins at once and bookkeeping still goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable

from stint.engine.keys import Key

FIRST_BACKOFF = 0.2  # seconds
MAX_BACKOFF = 60.0
TURNS = 5


class WorkQueue:
    """A de-duplicating queue with delays and a backoff per key."""

    def __init__(self) -> None:
        self._line: deque[Key] = deque()
        self._bookkeeping: deque[Key] = deque()
        self._second: set[Key] = set()
        self._taken = 0
        self._waiting: dict[Key, float] = {}
        """Since when, by a clock that only goes forward."""
        self._held: set[Key] = set()
        self._changed: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._free = asyncio.Semaphore(0)
        """One permit for each key in line: a key wakes one worker and not all of them."""
        self._resting = False

    def __len__(self) -> int:
        return len(self._line) + len(self._bookkeeping)

    @property
    def bookkeeping(self) -> int:
        """How many of them stand in the second line."""
        return len(self._bookkeeping)

    def oldest(self) -> float:
        """Seconds that the key has waited that has waited longest; 0 if none waits."""
        return time.monotonic() - min(self._waiting.values()) if self._waiting else 0.0

    def rest(self) -> None:
        """Nobody works: forget all keys and gather no more of them, until `resume`. Else a standby would have those of all objects that ever were."""
        self._resting, self._free = True, asyncio.Semaphore(0)
        for line in (self._line, self._bookkeeping, self._second, self._waiting):
            line.clear()

    def resume(self, keys: Iterable[Key]) -> None:
        """Work begins, with all objects that there are."""
        self._resting = False
        for key in keys:
            self.add(key)

    def add(self, key: Key, *, bookkeeping: bool = False) -> None:
        """Look at this key soon."""
        if self._resting:
            return
        if key in self._held:
            self._changed.add(key)
        elif key not in self._waiting:
            self._waiting[key] = time.monotonic()
            (self._bookkeeping if bookkeeping else self._line).append(key)
            if bookkeeping:
                self._second.add(key)
            self._free.release()
        elif not bookkeeping and key in self._second:  # a user's change does not wait behind news of pods
            self._second.discard(key)
            self._bookkeeping.remove(key)
            self._line.append(key)

    def add_later(self, key: Key, seconds: float) -> None:
        """Look at this key in so many seconds; replaces what was scheduled before."""
        self._cancel(key)
        self._timers[key] = asyncio.get_running_loop().call_later(max(0.0, seconds), self._due, key)

    async def take(self) -> Key:
        """The next key; the caller must give it back with `done`."""
        await self._free.acquire()
        self._taken += 1
        second = self._bookkeeping and (not self._line or self._taken % TURNS == 0)
        key = (self._bookkeeping if second else self._line).popleft()
        del self._waiting[key]
        self._second.discard(key)
        self._held.add(key)
        self._cancel(key)
        return key

    def done(self, key: Key) -> None:
        """The worker has finished with this key."""
        self._held.discard(key)
        if key in self._changed:
            self._changed.discard(key)
            self.add(key)

    def failed(self, key: Key) -> float:
        """Schedule another try after this key's backoff, in seconds."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        delay = min(MAX_BACKOFF, FIRST_BACKOFF * 2.0 ** min(count - 1, 20))
        self.add_later(key, delay)
        return delay

    def succeeded(self, key: Key) -> None:
        """Forget this key's failures."""
        self._failures.pop(key, None)

    def close(self) -> None:
        """Drop everything that is scheduled."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
