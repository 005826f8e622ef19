"""The agent's way to the model, with a real provider on a loopback port: what passes, unchanged and metered."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest

from stint.gateway import proxy
from unit.gateway.conftest import StartGateway
from unit.gateway.kit import (
    KEY,
    MODEL,
    Running,
    Upstream,
    body,
    error,
    events,
    message,
    message_start,
    reply,
    spoken,
    stream,
    text_delta,
)


async def test_a_stream_passes_unchanged_and_is_metered(gateway: Running, upstream: Upstream) -> None:
    status, content = await gateway.ask(headers={"anthropic-beta": "b1,b2", "anthropic-version": "2023-06-01"})
    assert (status, content) == (200, b"".join(stream()))
    [sent] = upstream.received
    assert (sent.method, sent.path) == ("POST", "/v1/messages?beta=true")
    assert json.loads(sent.body) == body()
    assert (sent.headers["anthropic-beta"], sent.headers["x-api-key"], sent.headers["accept-encoding"]) == ("b1,b2", KEY, "identity")
    counts = {"requests": 1, "inputTokens": 100, "outputTokens": 40, "cacheReadTokens": 0, "cacheWriteTokens": 0, "cost": "0.001500"}
    report = await gateway.report()
    assert report["usage"] == {**counts, "estimated": False, "byModel": {MODEL: counts}}
    assert (report["pod"], report["attempt"], report["limitReached"], report["lastError"]) == ("pod-1", 1, None, None)
    assert report["firstRequest"] <= report["firstGoodAnswer"]


async def test_every_answer_is_on_record_before_the_agent_sees_its_end(gateway: Running) -> None:
    for number in (1, 2, 3):
        await gateway.ask()
        assert gateway.termination_message() == await gateway.report()
        assert gateway.termination_message()["usage"]["requests"] == number
        assert gateway.journal()[-1]["usage"]["requests"] == number


async def test_a_body_is_passed_on_byte_by_byte_as_it_was(gateway: Running, upstream: Upstream) -> None:
    odd = b'{ "model":"claude-x",\n "x": 1e400, "y": "\\u00e9\xc3\xa9", "stream" : true }'
    async with gateway.client.post(f"{gateway.url}/v1/messages", data=odd) as response:
        assert response.status == 400, "1e400 is no number the meter's parser takes"
    odd = odd.replace(b"1e400", b"1.0e0")
    async with gateway.client.post(f"{gateway.url}/v1/messages", data=odd) as response:
        await response.read()
    assert upstream.received[-1].body == odd


async def test_bytes_arrive_as_the_provider_sends_them(gateway: Running, upstream: Upstream) -> None:
    hold = asyncio.Event()
    upstream.answer = events(message_start(), text_delta("first"), hold=hold)
    async with asyncio.timeout(10), gateway.client.post(f"{gateway.url}/v1/messages", json=body()) as response:
        expected = message_start() + text_delta("first")
        assert await response.content.readexactly(len(expected)) == expected
        assert (await gateway.outside("/ready"))[0] == 200, "the model has begun to answer"
        hold.set()
        assert await response.read() == b""


async def test_a_stream_sent_one_byte_at_a_time_is_metered_the_same(gateway: Running, upstream: Upstream) -> None:
    whole = b"".join(stream(text="Grüße 🎈"))
    upstream.answer = events(*(whole[place : place + 1] for place in range(len(whole))))
    assert (await gateway.ask())[1] == whole
    assert (await gateway.report())["usage"]["outputTokens"] == 40


async def test_an_answer_in_one_piece_is_metered(gateway: Running, upstream: Upstream) -> None:
    upstream.answer = reply(message(model=f"{MODEL}-20260101", input_tokens=7, output_tokens=3))
    status, content = await gateway.ask(stream=False)
    assert (status, json.loads(content)["usage"]["output_tokens"]) == (200, 3)
    usage = (await gateway.report())["usage"]
    assert (usage["inputTokens"], usage["outputTokens"], usage["cost"], usage["estimated"]) == (7, 3, "0.000110", False)
    assert list(usage["byModel"]) == [f"{MODEL}-20260101"]
    assert (await gateway.outside("/ready"))[0] == 200


async def test_a_compressed_answer_passes_as_it_is_and_is_metered(gateway: Running, upstream: Upstream) -> None:
    packed = gzip.compress(b"".join(stream()))
    upstream.answer = events(packed[:50], packed[50:], headers={"Content-Encoding": "gzip"})
    async with gateway.client.post(f"{gateway.url}/v1/messages", json=body()) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert await response.read() == packed
    assert (await gateway.report())["usage"]["outputTokens"] == 40


async def test_an_encoding_that_cannot_be_metered_is_not_passed_on_and_not_free(gateway: Running, upstream: Upstream) -> None:
    upstream.answer = reply(message(), headers={"Content-Encoding": "br"})
    status, content = await gateway.ask(stream=False)
    assert status == 502
    assert "as br, though asked not to" in spoken(content)[1]
    usage = (await gateway.report())["usage"]
    assert (usage["outputTokens"], usage["estimated"]) == (1000, True)
    upstream.answer = reply({}, status=500, headers={"Content-Encoding": "br"})
    assert (await gateway.ask())[0] == 502
    assert (await gateway.report())["usage"] == usage, "an error costs nothing"


async def test_models_and_token_counts_pass_and_cost_nothing(start_gateway: StartGateway, upstream: Upstream) -> None:
    gateway = await start_gateway(unknownModels="Refuse", limits={"cost": "0"})
    upstream.answer = reply({"input_tokens": 5, "usage": {"input_tokens": 5}})
    async with gateway.client.post(f"{gateway.url}/v1/messages/count_tokens?beta=true", json=body(model="claude-new")) as response:
        assert response.status == 200
    for path in ("/v1/models", "/v1/models?limit=5", "/v1/models/claude-x"):
        async with gateway.client.get(gateway.url + path) as response:
            assert response.status == 200
    assert [sent.path for sent in upstream.received] == [
        "/v1/messages/count_tokens?beta=true",
        "/v1/models",
        "/v1/models?limit=5",
        "/v1/models/claude-x",
    ]
    assert all(sent.headers["x-api-key"] == KEY for sent in upstream.received)
    upstream.answer = error(404, "not_found_error", "no such model")
    async with gateway.client.get(f"{gateway.url}/v1/models/claude-new") as response:
        assert response.status == 404
    report = await gateway.report()
    assert (report["usage"]["requests"], report["usage"]["cost"]) == (0, "0.000000")
    assert (report["firstRequest"], report["lastError"]) == (None, None), "these are no requests for the model"


async def test_hello_is_answered_without_the_provider(gateway: Running, upstream: Upstream) -> None:
    for method in ("HEAD", "GET"):
        async with gateway.client.request(method, f"{gateway.url}/api/hello") as response:
            assert response.status == 200
    assert upstream.received == []


async def test_the_base_address_may_have_a_path(start_gateway: StartGateway, upstream: Upstream) -> None:
    gateway = await start_gateway(base_url=f"{upstream.url}/team/anthropic")
    await gateway.ask()
    assert upstream.received[0].path == "/team/anthropic/v1/messages?beta=true"


@pytest.mark.parametrize("size", [2 << 20, (32 << 20) - 40])
async def test_a_large_body_passes(gateway: Running, upstream: Upstream, size: int) -> None:
    assert (await gateway.ask(messages="x" * (size - len(json.dumps(body(messages=""))))))[0] == 200
    assert len(upstream.received[0].body) == size


async def test_the_connection_to_the_provider_is_opened_in_advance(start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = 0
    real = proxy._lasting_socket

    def counting(address: Any) -> Any:
        nonlocal opened
        opened += 1
        return real(address)

    monkeypatch.setattr(proxy, "_lasting_socket", counting)
    gateway = await start_gateway()
    assert gateway.gateway._warming is not None
    await gateway.gateway._warming
    await gateway.ask()
    await gateway.ask()
    assert opened == 1
