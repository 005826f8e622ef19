"""An event loop whose time passes only when nothing else is left to do, or when a test says so.

Delays, backoffs and time-outs run as in production, in no time at all; and the wall clock of the controller can be set apart from it, as NTP does.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
START = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)


class _Idle(selectors.DefaultSelector):
    """Waits for nothing: instead of sleeping, it moves the loop's time on."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            self.passed += timeout
        return super().select(0 if timeout is not None else None)


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0 seconds; `clock()` is the wall clock that goes with it."""

    def __init__(self) -> None:
        self.idle = _Idle()
        self.jumped = timedelta(0)
        super().__init__(self.idle)

    def time(self) -> float:
        return self.idle.passed

    def clock(self) -> datetime:
        return START + timedelta(seconds=self.time()) + self.jumped

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.run_until_complete(work)

    def stop_everything(self) -> None:
        """Cancel what is left and close."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()
