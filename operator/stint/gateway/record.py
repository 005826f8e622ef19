"""The state of this pod's account: what was used, said and refused. The one place where it changes and is saved.

Changes are made in memory, at once, so that the next request is judged by them; `save` then writes the termination
message and the journal. The journal's fsync runs in a thread of its own: it may take a while, and streams go on meanwhile.

What is saved counts every request under way at the most it may use, from before its answer begins until it is settled: an
agent that has the gateway killed (by filling its memory, say) must not get its answers for nothing. The live report
counts only what is settled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from stint.gateway.account import Account
from stint.gateway.config import GatewayConfig
from stint.gateway.errors import GOOD, LastError, kind_of
from stint.gateway.journal import Journal
from stint.gateway.limit import Limits, Resource, reached
from stint.gateway.output import Verdict
from stint.gateway.report import Heard, MessageFile, render
from stint.gateway.usage import Charge, Metered, Tally
from stint.gateway.windows import MOST, Window

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Record:
    """Use it from one event loop; `close` it at the end."""

    def __init__(self, config: GatewayConfig, journal: Journal, termination_log: Path, now: Callable[[], datetime] = utc_now) -> None:
        self._prices = config.prices
        self._journal = journal
        self._message = MessageFile(termination_log)
        self.now = now
        self._account = journal.own or Account(pod=journal.pod, attempt=config.attempt)
        self._unsettled = Tally()
        for account in journal.unsettled:
            self._unsettled = self._unsettled.plus(account.usage.total)
        self._last_error: LastError | None = None
        self._last_answer: str | None = None
        self._windows: dict[str, Window] = {}
        self._under_way: dict[int, tuple[Charge, ...]] = {}
        self._requests = 0
        self._saves: set[asyncio.Task[None]] = set()
        self._changes = 0
        self._saved = -1
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._saving = asyncio.Lock()
        self._over = asyncio.Event()
        self.broken: str | None = None  # why the journal cannot be written, if so

    @property
    def counted(self) -> Tally:
        """What counts against the limits: this pod's usage, and that of pods whose own report was never read."""
        return self._account.usage.total.plus(self._unsettled)

    @property
    def ready(self) -> bool:
        """The model has answered at least once."""
        return self._account.first_good_answer is not None

    def arrived(self) -> None:
        if self._account.first_request is None:
            self._change(replace(self._account, first_request=self._time()))

    def answered(self) -> None:
        self._last_answer = GOOD
        if self._account.first_good_answer is None:
            self._change(replace(self._account, first_good_answer=self._time()))

    def crowded(self, limits: Limits, session: str) -> bool:
        """Whether the requests under way may use up a limit between them; the next one then waits until one of them is over."""
        if not self._under_way:
            return False
        worst = self._at_most().usage.total.plus(self._unsettled)
        return reached(worst, limits, session) is not None

    async def one_settled(self) -> None:
        """Until a request that is under way now is over."""
        await self._over.wait()

    def opened(self, most: Metered, asked: str) -> int:
        """A request for the model `asked` goes out, which may use as much as `most`. Returns its number, for `settled`."""
        self._requests += 1
        self._under_way[self._requests] = self._prices.charge(most, asked)
        self._changes += 1
        saving = asyncio.create_task(self.save())
        self._saves.add(saving)
        saving.add_done_callback(self._saves.discard)
        return self._requests

    def settled(self, number: int, metered: Metered | None, asked: str) -> None:
        """The request is over; add what it used, None for nothing."""
        del self._under_way[number]
        self._over.set()
        self._over = asyncio.Event()
        self._changes += 1
        if metered is not None:
            charges = self._prices.charge(metered, asked)
            self._change(replace(self._account, usage=self._account.usage.add(charges, estimated=metered.estimated)))

    def refused_at(self, limit: Resource) -> None:
        if self._account.limit_reached is None:
            self._change(replace(self._account, limit_reached=limit))

    def submitted(self, verdict: Verdict) -> None:
        self._change(replace(self._account, output=verdict))

    def failed(self, error: LastError) -> None:
        self._last_error = error
        self._last_answer = kind_of(error)
        self._changes += 1

    def told(self, windows: Iterable[Window]) -> None:
        """Rate-limit windows, as an answer told of them."""
        for window in windows:
            self._windows[window.name] = window

    def report(self) -> bytes:
        return self._rendered(self._account)

    def _rendered(self, account: Account) -> bytes:
        return render(account, Heard(self._last_error, self._last_answer, list(self._windows.values())[-MOST:]), self._journal.previous)

    async def save(self) -> None:
        """Put every change so far on record. A failure is kept in `broken` and tried again by the next `save`."""
        async with self._saving:
            if self._saved == self._changes:
                return
            changes, account = self._changes, self._at_most()
            try:
                self._message.write(self._rendered(account))
                written = asyncio.get_running_loop().run_in_executor(self._writer, self._journal.append, account)
                # An agent that leaves must not leave its usage unwritten.
                await asyncio.shield(written)
            except OSError as problem:
                self.broken = str(problem.strerror)
                log.error("the usage cannot be put on record", extra={"problem": self.broken})
                return
            self.broken = None
            self._saved = changes

    def close(self) -> None:
        self._writer.shutdown()
        self._journal.close()
        self._message.close()

    def _at_most(self) -> Account:
        """The account if every request under way used all it may."""
        usage = self._account.usage
        for charges in self._under_way.values():
            usage = usage.add(charges, estimated=True)
        return replace(self._account, usage=usage)

    def _change(self, account: Account) -> None:
        self._account = account
        self._changes += 1

    def _time(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
