"""Connections to an API server: kept, bounded, given up, and through a proxy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devcluster.pki import Authority, Identity
from stint.kube import pool as module
from stint.kube.connection import Answer, Connection
from stint.kube.pool import Pool
from unit.kube.rawserver import OK, Line, RawServer, Script, polite, raw_server

FINE = Answer(200, b"ok")


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as server, asyncio.timeout(20):
        yield server


@pytest.fixture
async def pool(server: RawServer) -> AsyncIterator[Pool]:
    pool = Pool(server.url, limit=2)
    yield pool
    pool.close()


async def ask(pool: Pool, timeout: float = 10) -> Answer:
    return await pool.ask("GET", "/x", None, "", timeout)


async def test_a_request_is_what_an_api_server_expects(server: RawServer) -> None:
    # given
    heads: list[bytes] = []

    async def note(line: Line) -> None:
        heads.append(await line.request())
        heads.append(await line.reader.readexactly(2))
        line.say(OK)

    server.script = note
    pool = Pool(f"{server.url}/k8s/clusters/c-1/", limit=1, headers=lambda: "Authorization: Bearer me\r\n")
    # when
    await pool.ask("POST", "/api/v1/pods", b"{}", "application/json", 10)
    # then
    assert heads[0].decode().split("\r\n") == [
        "POST /k8s/clusters/c-1/api/v1/pods HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "User-Agent: stint", "Accept: application/json",
        "Authorization: Bearer me", "Content-Type: application/json", "Content-Length: 2", "", "",
    ]  # fmt: skip
    assert heads[1] == b"{}"


async def test_a_connection_is_used_again(pool: Pool, server: RawServer) -> None:
    assert [await ask(pool) for _ in range(3)] == [FINE] * 3
    assert server.accepted == 1


async def test_no_more_requests_at_once_than_there_is_room_for(pool: Pool, server: RawServer) -> None:
    # given two requests that are not answered yet
    asked_for: asyncio.Queue[None] = asyncio.Queue()
    go = asyncio.Event()

    async def wait(line: Line) -> None:
        while True:
            await line.request()
            asked_for.put_nowait(None)
            await go.wait()
            line.say(OK)

    server.script = wait
    asked = [asyncio.create_task(ask(pool)) for _ in range(5)]
    for _ in range(2):
        await asked_for.get()
    # when
    go.set()
    # then
    assert await asyncio.gather(*asked) == [FINE] * 5
    assert server.accepted == 2


async def test_a_connection_that_has_been_idle_for_long_is_not_used_again(pool: Pool, server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    await ask(pool)
    monkeypatch.setattr(module, "IDLE_AT_MOST", -1.0)
    assert await ask(pool) == FINE
    assert server.accepted == 2


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again(pool: Pool, server: RawServer) -> None:
    # given a connection that the server ends after its answer
    ended = asyncio.Event()

    async def once(line: Line) -> None:
        await line.request()
        line.say(OK)
        line.writer.write_eof()
        await line.gone()  # the client has seen the end
        ended.set()

    server.script = once
    await ask(pool)
    # when
    await ended.wait()
    # then
    assert await ask(pool) == FINE
    assert server.accepted == 2


async def test_a_server_that_wants_to_close_is_not_asked_again_on_this_connection(pool: Pool, server: RawServer) -> None:
    async def last(line: Line) -> None:
        await line.request()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await line.gone()

    server.script = last
    assert [await ask(pool), await ask(pool)] == [FINE, FINE]
    assert server.accepted == 2


async def test_an_interim_answer_is_passed_over(pool: Pool, server: RawServer) -> None:
    async def hint(line: Line) -> None:
        await line.request()
        line.say(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK)
        await line.request()
        line.say(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
        await line.gone()

    server.script = hint
    assert await ask(pool) == FINE
    async with pool.stream("/x", 10) as (status, connection):
        assert (status, await connection.read(10)) == (200, b"ok")


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
async def test_what_is_not_http_is_an_error(pool: Pool, server: RawServer, answer: bytes) -> None:
    async def babble(line: Line) -> None:
        await line.request()
        line.say(answer)
        await line.gone()

    server.script = babble
    with pytest.raises(ConnectionError, match="not HTTP"):
        await ask(pool)


async def test_an_answer_that_nobody_asked_for_ends_the_connection(pool: Pool, server: RawServer) -> None:
    # given an answer too many, which the next request must never get
    ended = asyncio.Event()

    async def twice(line: Line) -> None:
        await line.request()
        line.say(OK)
        await line.writer.drain()
        line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
        await line.gone()
        ended.set()

    server.script = twice
    await ask(pool)
    await ended.wait()
    server.script = polite
    assert await ask(pool) == FINE
    assert server.accepted == 2


async def test_a_server_that_does_not_answer_is_given_up(pool: Pool, server: RawServer) -> None:
    async def silent(line: Line) -> None:
        await line.request()
        await line.gone()

    server.script = silent
    with pytest.raises(TimeoutError, match="no answer"):
        await ask(pool, timeout=0.01)


async def test_an_answer_that_breaks_off_is_an_error(pool: Pool, server: RawServer) -> None:
    async def half(line: Line) -> None:
        await line.request()
        line.say(OK[:-1])

    server.script = half
    with pytest.raises(ConnectionResetError):
        await ask(pool)


async def test_a_request_that_is_given_up_leaves_its_answer_to_nobody(pool: Pool, server: RawServer) -> None:
    # given a request that the server holds
    held, gone = asyncio.Event(), asyncio.Event()

    async def hold(line: Line) -> None:
        await line.request()
        held.set()
        await line.gone()
        gone.set()

    server.script = hold
    given_up = asyncio.create_task(ask(pool))
    await held.wait()
    # when
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    # then
    await gone.wait()
    server.script = polite
    assert await ask(pool) == FINE


async def test_a_stream_is_read_as_it_comes_and_its_connection_serves_again(pool: Pool, server: RawServer) -> None:
    # given
    more = asyncio.Event()

    async def drip(line: Line) -> None:
        await line.request()
        line.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await more.wait()
        line.say(b"2\r\nbc\r\n0\r\n\r\n")
        await polite(line)

    server.script = drip
    # when
    async with pool.stream("/x", 10) as (status, connection):
        first = await connection.read(10)
        more.set()
        rest = [await connection.read(10)]
        while rest[-1]:
            rest.append(await connection.read(10))
    # then
    assert (status, first, b"".join(rest)) == (200, b"a", b"bc")
    assert await ask(pool) == FINE
    assert server.accepted == 1


async def test_a_stream_that_is_left_early_ends_its_connection(pool: Pool, server: RawServer) -> None:
    gone = asyncio.Event()

    async def endless(line: Line) -> None:
        await line.request()
        line.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await line.gone()
        gone.set()

    server.script = endless
    async with pool.stream("/x", 10) as (_, connection):
        assert await connection.read(10) == b"a"
        with pytest.raises(TimeoutError):
            await connection.read(0.01)
    await gone.wait()


async def test_after_signing_out_what_is_under_way_ends_and_nothing_begins(pool: Pool, server: RawServer) -> None:
    # given a request under way
    held, go, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hold(line: Line) -> None:
        await line.request()
        held.set()
        await go.wait()
        line.say(OK)
        await line.gone()
        gone.set()

    server.script = hold
    under_way = asyncio.create_task(ask(pool))
    await held.wait()
    # when
    pool.close()
    go.set()
    # then
    assert await under_way == FINE
    await gone.wait()
    with pytest.raises(ConnectionError, match="signed out"):
        await ask(pool)


async def test_idle_connections_are_closed_when_signing_out(pool: Pool, server: RawServer) -> None:
    await ask(pool)
    pool.close()
    await asyncio.gather(*server.open)


# TLS, and proxies


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server at 127.0.0.1 shows, and what its client trusts."""
    Authority(tmp_path).issue("api", Identity("api", hosts=("127.0.0.1",)))
    shows = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shows.load_cert_chain(tmp_path / "api.crt", tmp_path / "api.key")
    trusts = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    trusts.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return shows, trusts


def proxy(target: int, heads: list[bytes], answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> Script:
    """A proxy that leads every connection to this port."""

    async def serve(line: Line) -> None:
        heads.append(await line.request())
        line.say(answer)
        if b" 200 " not in answer:
            await line.gone()
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", target)
        try:
            await asyncio.gather(copy(line.reader, writer), copy(reader, line.writer))
        finally:
            writer.close()
            await writer.wait_closed()

    return serve


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
    target.close()


async def test_the_servers_certificate_is_checked(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    shows, trusts = contexts
    async with raw_server(tls=shows) as server:
        pool = Pool(f"https://127.0.0.1:{server.port}", limit=1, tls=trusts)
        assert [await ask(pool), await ask(pool)] == [FINE, FINE]
        pool.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(Pool(f"https://127.0.0.1:{server.port}", limit=1, tls=ssl.create_default_context()))


@pytest.mark.parametrize("secure", [True, False], ids=["https", "http"])
async def test_a_proxy_is_asked_for_a_tunnel(contexts: tuple[ssl.SSLContext, ssl.SSLContext], secure: bool) -> None:
    shows, trusts = contexts
    heads: list[bytes] = []
    async with raw_server(tls=shows if secure else None) as server, raw_server(proxy(server.port, heads)) as way:
        scheme = "https" if secure else "http"
        pool = Pool(f"{scheme}://127.0.0.1:{server.port}", limit=1, tls=trusts, proxy=f"http://me:p%40ss@127.0.0.1:{way.port}")
        assert [await ask(pool), await ask(pool)] == [FINE, FINE]
        pool.close()
    [head] = heads
    assert head.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n".encode())
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==\r\n" in head


async def test_a_proxy_without_user_is_told_none() -> None:
    heads: list[bytes] = []
    async with raw_server() as server, raw_server(proxy(server.port, heads)) as way:
        pool = Pool(server.url, limit=1, proxy=way.url)
        assert await ask(pool) == FINE
        pool.close()
    assert b"Authorization" not in heads[0]


async def test_a_proxy_that_refuses_is_an_error() -> None:
    async with raw_server(proxy(0, [], b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")) as way:
        with pytest.raises(ConnectionRefusedError, match="407 Proxy Authentication Required"):
            await ask(Pool("https://10.0.0.1", limit=1, proxy=way.url))


async def test_a_proxy_that_hangs_up_is_an_error() -> None:
    async def hang_up(line: Line) -> None:
        await line.request()

    async with raw_server(hang_up) as way:
        with pytest.raises(ConnectionResetError, match="the proxy closed"):
            await ask(Pool("https://[fd00::1]", limit=1, proxy=way.url))


async def test_a_proxy_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.05)
    async with raw_server(Line.gone) as way:
        with pytest.raises(TimeoutError):
            await ask(Pool("https://10.0.0.1", limit=1, proxy=way.url))


async def test_an_answer_that_came_when_its_request_was_given_up_is_no_part_of_the_next(server: RawServer) -> None:
    # given a request that is given up in the very moment in which its whole answer is there
    pool = Pool(server.url, limit=1)
    given_up = asyncio.create_task(ask(pool))
    complete = Connection.on_message_complete

    def cancel(connection: Connection) -> None:
        complete(connection)
        given_up.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "on_message_complete", cancel)
        await asyncio.gather(given_up, return_exceptions=True)
    assert given_up.cancelled()
    # then
    assert await ask(pool) == FINE
    assert server.accepted == 1
    pool.close()
