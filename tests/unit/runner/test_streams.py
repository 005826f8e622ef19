"""Pipes, the gateway, and the wait for servers: the parts that talk."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, cast

import pytest

from stint_runner.cli import Cli
from stint_runner.description import McpServer
from stint_runner.errors import Failed
from stint_runner.gateway import Gateway, Unreachable
from stint_runner.result import ToolState
from stint_runner.streams import Writer, open_reader, read_lines
from stint_runner.tools import Patience, connect
from unit.runner.kit import DEADLINE, FakeGateway


async def lines_of(*chunks: bytes) -> list[bytes]:
    reader = asyncio.StreamReader()
    for chunk in chunks:
        reader.feed_data(chunk)
    reader.feed_eof()
    return [line async for line in read_lines(reader)]


async def test_lines_are_split_wherever_the_chunks_end() -> None:
    assert await lines_of(b"a\nb", b"", b"c\n\nd") == [b"a", b"bc", b"", b"d"]
    assert await lines_of() == []


async def test_a_long_line_arrives_whole() -> None:
    big = b"x" * (3 << 20)

    assert await lines_of(big, b"\n") == [big]


async def test_a_writer_waits_for_a_slow_reader_and_loses_nothing() -> None:
    read_end, write_end = os.pipe()
    writer = await Writer.open(os.fdopen(write_end, "wb", 0))
    writing = asyncio.ensure_future(writer.write(b"x" * (1 << 20)))
    await asyncio.sleep(0)
    assert not writing.done()

    reader = await open_reader(os.fdopen(read_end, "rb", 0))
    async with asyncio.timeout(DEADLINE):
        data = await reader.readexactly(1 << 20)
        await writing
        await writer.flush()
    assert len(data) == 1 << 20
    writer.close()


async def test_a_lost_reader_is_no_error() -> None:
    read_end, write_end = os.pipe()
    writer = await Writer.open(os.fdopen(write_end, "wb", 0))
    os.close(read_end)

    async with asyncio.timeout(DEADLINE):
        while not writer.lost:
            await writer.write(b"x" * 100_000)
            await asyncio.sleep(0)
        await writer.write(b"y")
        await writer.flush()


async def test_the_gateway_is_waited_for_until_it_answers() -> None:
    probe = await FakeGateway().serve()
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    waiting = asyncio.ensure_future(Gateway(f"http://127.0.0.1:{port}").ready())
    await asyncio.sleep(0.05)
    assert not waiting.done()

    server = await asyncio.start_server(_hello, "127.0.0.1", port)
    async with asyncio.timeout(DEADLINE):
        await waiting
    server.close()


async def test_an_output_is_judged_by_the_gateway() -> None:
    fake = FakeGateway()
    server = await fake.serve()

    assert await Gateway(fake.url).submit_output({"a": "ä"}) is None
    fake.valid = False
    assert await Gateway(fake.url).submit_output({"a": 1}) == "answer: 42 is not a string"
    assert fake.outputs == [{"a": "ä"}, {"a": 1}]
    await fake.stop(server)


async def test_a_gateway_that_is_gone_is_told() -> None:
    with pytest.raises(Unreachable):
        await Gateway("http://127.0.0.1:9").submit_output(1)


class Servers:
    """A CLI that knows nothing but how its MCP servers are."""

    def __init__(self, **states: tuple[str, str | None]) -> None:
        self.states = states
        self.reconnected: list[str] = []

    async def ask(self, subtype: str, **fields: Any) -> dict[str, object]:
        if subtype == "mcp_reconnect":
            self.reconnected.append(fields["serverName"])
            return {}
        return {"mcpServers": [{"name": name, "status": status, "error": error} for name, (status, error) in self.states.items()]}


def server(name: str, *, required: bool) -> McpServer:
    return McpServer(name, "stdio", "x", (), None, required, (), ())


async def wait_for(servers: Servers, *wanted: McpServer, required: float = 0.3, optional: float = 0.05) -> tuple[ToolState, ...]:
    reported: list[tuple[ToolState, ...]] = []
    await connect(cast(Cli, servers), wanted, Patience(required, optional), reported.append)
    return reported[-1] if reported else ()


async def test_a_server_that_never_connects_is_given_up_by_name() -> None:
    servers = Servers(docs=("failed", "refused"), web=("connected", None), slow=("pending", None))

    with pytest.raises(Failed, match=r"ToolsUnavailable: docs: refused$"):
        await wait_for(servers, *(server(name, required=True) for name in ("docs", "web", "slow")))

    assert set(servers.reconnected) == {"docs"}


async def test_a_server_that_is_only_slow_is_given_up_as_well() -> None:
    with pytest.raises(Failed, match="slow: pending"):
        await wait_for(Servers(slow=("pending", None)), server("slow", required=True))


@pytest.mark.parametrize("state", [("failed", "ENOENT: no such file"), ("needs-auth", None), ("disabled", None)])
async def test_what_cannot_get_better_is_not_waited_for(state: tuple[str, str | None]) -> None:
    begun = time.monotonic()

    with pytest.raises(Failed, match="ToolsUnavailable"):
        await wait_for(Servers(docs=state), server("docs", required=True), required=DEADLINE)

    assert time.monotonic() - begun < DEADLINE / 2


async def test_a_server_that_the_cli_did_not_accept_is_missing() -> None:
    with pytest.raises(Failed, match="docs: the CLI did not accept its configuration"):
        await wait_for(Servers(), server("docs", required=True))


async def test_a_server_that_is_not_required_gets_a_moment() -> None:
    states = await wait_for(Servers(slow=("pending", None)), server("slow", required=False))

    assert [state.status for state in states] == ["pending"]


async def test_without_servers_nothing_is_asked() -> None:
    assert await wait_for(Servers()) == ()


async def _hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    writer.close()
