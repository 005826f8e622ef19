"""What does not pass the gateway, and what has to wait there."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from stint.gateway import proxy
from stint.gateway.journal import Journal
from unit.gateway.conftest import StartGateway
from unit.gateway.kit import (
    MODEL,
    Running,
    Upstream,
    body,
    events,
    message,
    reply,
    spoken,
    stream,
    until,
)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/messages/batches"),
        ("POST", "/v1/files"),
        ("GET", "/v1/organizations/users"),
        ("POST", "/v1/complete"),
        ("GET", "/v1/messages"),
        ("POST", "/v1/models"),
        ("DELETE", "/v1/models/claude-x"),
        ("GET", "/v1/models/../messages/batches"),
        ("GET", "/v1/models/a/b"),
        ("GET", "/v1/models/%2e%2e/files"),
        ("POST", "/v1/messages/"),
        ("POST", "/v1//messages"),
        ("POST", "/v1/%6dessages"),
        ("POST", "/v1/messages;x/batches"),
        ("POST", "http://elsewhere.example/v1/messages"),
        ("PUT", "/api/hello"),
        ("GET", "/stint/output"),
        ("GET", "/report"),
        ("GET", "/"),
    ],
)
async def test_what_could_not_be_metered_does_not_pass(gateway: Running, upstream: Upstream, method: str, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.gateway.agent_port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    head, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 404")
    assert b"x-should-retry: false" in head
    kind, words = spoken(content)
    assert kind == "not_found_error"
    assert "does not pass this gateway" in words
    assert upstream.received == []


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_beyond_32_mib_is_refused(gateway: Running, upstream: Upstream, declared: bool) -> None:
    async def pieces() -> Any:
        for _ in range(33):
            yield b"x" * (1 << 20)

    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.gateway.agent_port)
    length = f"Content-Length: {33 << 20}" if declared else "Transfer-Encoding: chunked"
    writer.write(f"POST /v1/messages HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
    if not declared:
        async for piece in pieces():
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        writer.write(b"0\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 413 " in head
    assert b"request_too_large" in await reader.readuntil(b"}}")
    writer.close()
    assert upstream.received == []


async def test_a_body_whose_model_cannot_be_read_is_refused(gateway: Running, upstream: Upstream) -> None:
    async with gateway.client.post(f"{gateway.url}/v1/messages", data=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}) as response:
        assert response.status == 415
    async with gateway.client.post(f"{gateway.url}/v1/messages", data=b"no json") as response:
        assert response.status == 400
    assert upstream.received == []


async def test_an_unknown_model_is_refused_before_anything_is_sent(start_gateway: StartGateway, upstream: Upstream) -> None:
    gateway = await start_gateway(unknownModels="Refuse")
    status, content = await gateway.ask(model="claude-new")
    assert status == 400
    kind, words = spoken(content)
    assert kind == "invalid_request_error"
    assert "claude-new" in words
    assert "spec.prices of the ModelProvider default" in words
    assert upstream.received == []
    assert (await gateway.ask(model=f"{MODEL}-20260101"))[0] == 200


async def test_an_unknown_model_counts_as_the_dearest(start_gateway: StartGateway, upstream: Upstream) -> None:
    cheap = dict.fromkeys(("input", "output", "cacheRead", "cacheWrite5m", "cacheWrite1h"), "1")
    gateway = await start_gateway(prices={"cheap": {**cheap, "input": "90"}, "dear": {**cheap, "output": "100"}})
    upstream.answer = reply(message(model="claude-new", input_tokens=1000, output_tokens=1000))
    assert (await gateway.ask(model="claude-new"))[0] == 200
    assert (await gateway.report())["usage"]["byModel"]["claude-new"]["cost"] == "0.190000"
    upstream.answer = reply(message(model="an-inner-name", input_tokens=1000, output_tokens=1000))
    assert (await gateway.ask(model="cheap"))[0] == 200
    assert (await gateway.report())["usage"]["byModel"]["an-inner-name"]["cost"] == "0.091000", "priced as the model that was asked for"


async def test_at_the_limit_requests_are_refused_without_a_retry(start_gateway: StartGateway, upstream: Upstream) -> None:
    gateway = await start_gateway(limits={"cost": "0.003", "tokens": None})
    assert (await gateway.ask())[0] == 200
    assert (await gateway.ask())[0] == 200
    assert (await gateway.report())["limitReached"] is None, "used up, but nobody was refused"
    async with gateway.client.post(f"{gateway.url}/v1/messages", json=body()) as response:
        assert (response.status, response.headers["x-should-retry"]) == (429, "false")
        kind, words = spoken(await response.read())
    assert kind == "stint_budget_reached"
    assert "may use 0.003 USD and has used 0.003000 USD" in words
    assert "spec.limits.cost" in words
    assert len(upstream.received) == 2
    assert gateway.termination_message()["limitReached"] == "cost"
    assert gateway.journal()[-1]["limitReached"] == "cost"
    assert (await gateway.report())["lastError"] is None, "the provider did nothing wrong"


async def test_near_a_limit_requests_take_turns_so_that_one_answer_at_most_passes_it(start_gateway: StartGateway, upstream: Upstream) -> None:
    gateway = await start_gateway(limits={"cost": None, "tokens": 140})
    hold = asyncio.Event()
    upstream.answer = events(*stream(), hold=hold)
    together = [asyncio.create_task(gateway.ask()) for _ in range(5)]
    await until(lambda: len(upstream.received) == 1)
    hold.set()
    answers = await asyncio.gather(*together)
    used = (await gateway.report())["usage"]
    each = (used["inputTokens"] + used["outputTokens"]) // used["requests"]
    assert used["inputTokens"] + used["outputTokens"] < 140 + each
    assert sorted({status for status, _ in answers}) == [200, 429]
    assert len(upstream.received) == used["requests"] < 5


async def test_far_from_a_limit_requests_go_side_by_side(start_gateway: StartGateway, upstream: Upstream) -> None:
    gateway = await start_gateway(limits={"cost": None, "tokens": 1_000_000_000})
    hold = asyncio.Event()
    upstream.answer = events(*stream(), hold=hold)
    together = [asyncio.create_task(gateway.ask()) for _ in range(5)]
    await until(lambda: len(upstream.received) == 5)
    hold.set()
    assert {status for status, _ in await asyncio.gather(*together)} == {200}


@pytest.mark.parametrize("what", ["stint.gateway.journal.Journal.append", "stint.gateway.report.MessageFile.write"])
async def test_what_cannot_be_put_on_record_is_not_sent(gateway: Running, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def full(_: Any, __: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(what, full)
        for _ in range(2):
            status, content = await gateway.ask()
            assert status == 503
            assert "No space left on device" in spoken(content)[1]
        assert upstream.received == []
    assert (await gateway.ask())[0] == 200
    assert gateway.journal()[-1]["usage"]["requests"] == 1
    assert gateway.termination_message()["usage"]["requests"] == 1


async def test_a_request_is_in_the_journal_before_it_is_sent(gateway: Running, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    sent_when_saved: list[int] = []
    real = Journal.append

    def noting(journal: Journal, account: Any) -> None:
        sent_when_saved.append(len(upstream.received))
        real(journal, account)

    monkeypatch.setattr(Journal, "append", noting)
    assert (await gateway.ask())[0] == 200
    assert sent_when_saved[0] == 0


async def test_large_bodies_wait_for_each_other(gateway: Running) -> None:
    """A second large body is read only when the first has been dealt with, so that many of them cannot use up the memory."""
    room = gateway.gateway._proxy._room
    async with room.of(proxy.MAX_BODY):
        waiting = asyncio.create_task(gateway.ask())
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
    assert (await waiting)[0] == 200
