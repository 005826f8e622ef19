"""A server that says, byte for byte, what a test tells it to, with TLS if wanted."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Script = Callable[["Line"], Awaitable[None]]


@dataclass
class Line:
    """The server's end of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        """The head of the next request. Raises `EOFError` when the client has gone."""
        return await self.reader.readuntil(b"\r\n\r\n")

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def gone(self) -> None:
        """Until the client has closed the connection."""
        while await self.reader.read(65536):
            pass


async def polite(line: Line) -> None:
    """Answers every request."""
    while True:
        await line.request()
        line.say(OK)


@dataclass
class RawServer:
    """``script``: what happens on each connection."""

    script: Script = polite
    port: int = 0
    accepted: int = 0
    open: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        try:
            await self.script(Line(reader, writer))
        except (EOFError, ConnectionError):
            pass
        finally:
            writer.close()
            self.open.discard(task)


@asynccontextmanager
async def raw_server(script: Script = polite, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    raw = RawServer(script)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=tls)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        for task in raw.open:
            task.cancel()
        await asyncio.gather(*raw.open, return_exceptions=True)
