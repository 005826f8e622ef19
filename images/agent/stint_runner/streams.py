"""Reading and writing the pipes around the CLI.

The streams of asyncio are close to what is needed, but their `readline` has a limit (a tool's output makes lines of many MiB) and
their writer belongs to a reader. Backpressure holds on both sides: when nobody reads the pod's log, the CLI is not read either.
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from typing import IO

_CHUNK = 256 * 1024


async def open_reader(pipe: IO[bytes]) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=_CHUNK)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


async def read_lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length, without the newline; what stands after the last newline is a line as well."""
    begun: list[bytes] = []
    while chunk := await reader.read(_CHUNK):
        *complete, rest = chunk.split(b"\n")
        if complete:
            complete[0] = b"".join((*begun, complete[0]))
            begun = []
        if rest:
            begun.append(rest)
        for line in complete:
            yield line
    if begun:
        yield b"".join(begun)


class Writer(asyncio.BaseProtocol):
    """One descriptor, written in order; `write` returns when there is room for more. Lost readers are no error."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._transport: asyncio.WriteTransport | None = None
        self._room = asyncio.Event()
        self._room.set()
        self.lost = False

    @staticmethod
    async def open(pipe: IO[bytes]) -> "Writer":
        """Takes over the file object. A file on disk never makes anyone wait, so it needs no transport."""
        writer = Writer(pipe.fileno())
        if not stat.S_ISREG(os.fstat(pipe.fileno()).st_mode):
            transport, _ = await asyncio.get_running_loop().connect_write_pipe(lambda: writer, pipe)
            writer._transport = transport
        return writer

    async def write(self, data: bytes) -> None:
        if self.lost:
            return
        if self._transport is None:
            _write_all(self._descriptor, data)
        else:
            self._transport.write(data)
            await self._room.wait()

    async def flush(self) -> None:
        """Wait until everything is handed to the kernel."""
        if self._transport is not None and not self.lost:
            self._transport.set_write_buffer_limits(0)
            await self._room.wait()

    def close(self) -> None:
        """Close after what is written has gone out."""
        if self._transport is not None:
            self._transport.close()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._room.set()


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
