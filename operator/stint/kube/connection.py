"""One HTTP/1.1 connection to an API server, for one request at a time.

aiohttp's client needs 130 to 190 µs of CPU for a request, for cookies, redirects, encodings and multipart bodies that an API server never sends.
What it does send, JSON with a length or in chunks, takes a tenth of that: llhttp (the parser of Node, by httptools) reads, and this file waits.

::

    idle ──ask()──▶ whole answer ──▶ idle
         ──begin()─▶ status ──read()──▶ … ──▶ b"" ──▶ idle
    anything else (connection lost, not HTTP, request given up) ──▶ closed
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple, cast

import httptools


class Answer(NamedTuple):
    """A status and a whole body."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """Raises `OSError` (also as `ConnectionError` and `TimeoutError`) when no usable answer comes."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._body: list[bytes] = []
        self._status = 0
        self._in_parts = False
        self._complete = True
        self._failure: OSError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.idle_since = 0.0
        """Seconds on the loop's clock: when the last answer was complete."""

    @property
    def idle(self) -> bool:
        """Whether it can take another request."""
        return self._complete and self._failure is None

    async def ask(self, request: bytes, timeout: float) -> Answer:
        """Send a request and wait for its whole answer, at most ``timeout`` seconds."""
        self._send(request, in_parts=False)
        await self._wait(timeout)
        return Answer(self._status, self._take())

    async def begin(self, request: bytes, timeout: float) -> int:
        """Send a request and wait for its status; the body follows by `read`."""
        self._send(request, in_parts=True)
        await self._wait(timeout)
        return self._status

    async def read(self, timeout: float) -> bytes:
        """What has come of the body since the last time, waiting ``timeout`` seconds for more; empty at its end."""
        if not self._body and not self._complete:
            await self._wait(timeout)
        return self._take()

    def close(self) -> None:
        """Give up, also in the middle of an answer."""
        self._fail(ConnectionAbortedError("the connection was given up"))

    def _send(self, request: bytes, *, in_parts: bool) -> None:
        if self._failure is not None:
            raise self._failure
        assert self._complete, "one request at a time"
        assert self._transport is not None
        self._complete, self._in_parts, self._status = False, in_parts, 0
        self._body.clear()  # of an answer that came whole when nobody wanted it any more
        self._transport.write(request)

    async def _wait(self, timeout: float) -> None:
        if self._failure is not None:
            raise self._failure
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(timeout, self._fail, TimeoutError(f"no answer for {timeout:.0f} s"))
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _take(self) -> bytes:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        return body

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, failure: OSError) -> None:
        if self._failure is None:
            self._failure = failure
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_exception(failure)
        if self._transport is not None:
            self._transport.abort()

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as broken:
            self._fail(ConnectionError(f"the server's answer is not HTTP: {broken}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc if isinstance(exc, OSError) else ConnectionResetError("the server closed the connection"))

    # What the parser tells

    def on_message_begin(self) -> None:
        if self._complete:
            self._fail(ConnectionError("the server sent an answer that nobody had asked for"))

    def on_headers_complete(self) -> None:
        if self._complete:
            return
        self._status = self._parser.get_status_code()
        if self._in_parts and self._status >= 200:
            self._wake()

    def on_body(self, data: bytes) -> None:
        if self._complete:
            return
        self._body.append(data)
        if self._in_parts:
            self._wake()

    def on_message_complete(self) -> None:
        if self._complete or self._status < 200:  # an interim answer; the real one follows
            return
        self._complete = True
        self.idle_since = self._loop.time()
        self._wake()
        if not self._parser.should_keep_alive():
            self._fail(ConnectionResetError("the server closes the connection"))
