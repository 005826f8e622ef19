"""The agent's way to the model, with a real provider on a loopback port: what passes, what is refused, and what it costs."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from stint.gateway import proxy
from stint.gateway.journal import Journal
from unit.gateway.conftest import StartGateway
from unit.gateway.kit import (
    KEY,
    MODEL,
    Running,
    Upstream,
    body,
    error,
    event,
    events,
    in_turn,
    message,
    message_start,
    reply,
    stream,
    text_delta,
    until,
)


def spoken(content: bytes) -> tuple[str, str]:
    """Type and message of an error in the API's shape."""
    document = json.loads(content)
    assert document["type"] == "error"
    return document["error"]["type"], document["error"]["message"]


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


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ("APIKey", {"x-api-key": KEY}),
        ("AuthToken", {"authorization": f"Bearer {KEY}"}),
        ("SetupToken", {"authorization": f"Bearer {KEY}", "anthropic-beta": "oauth-2025-04-20"}),
    ],
)
async def test_the_agents_placeholders_never_reach_the_provider(
    start_gateway: StartGateway, upstream: Upstream, auth: str, expected: dict[str, str]
) -> None:
    gateway = await start_gateway(auth=auth)
    placeholders = {"x-api-key": "stolen", "Authorization": "Bearer stolen", "Cookie": "stolen=1", "Proxy-Authorization": "stolen"}
    await gateway.ask(headers=placeholders)
    sent = upstream.received[0].headers
    assert "stolen" not in str(sent)
    assert {name: sent[name] for name in sent if name in ("x-api-key", "authorization", "anthropic-beta")} == expected


async def test_a_rotated_key_works_for_the_next_request(gateway: Running, upstream: Upstream) -> None:
    await gateway.ask()
    gateway.settings.credential_file.write_text("sk-test-a-new-one\n")
    await gateway.ask()
    assert [sent.headers["x-api-key"] for sent in upstream.received] == [KEY, "sk-test-a-new-one"]


async def test_without_a_credential_nothing_is_sent_and_nothing_retried(gateway: Running, upstream: Upstream) -> None:
    gateway.settings.credential_file.unlink()
    async with gateway.client.post(f"{gateway.url}/v1/messages", json=body()) as response:
        assert (response.status, response.headers["x-should-retry"]) == (401, "false")
        kind, words = spoken(await response.read())
    assert (kind, "Check that the Secret" in words) == ("authentication_error", True)
    assert upstream.received == []
    assert (await gateway.report())["lastError"]["status"] == 401


@pytest.mark.parametrize(("status", "kind", "retry"), [(401, "authentication_error", "false"), (403, "permission_error", "false")])
async def test_a_refused_credential_is_not_worth_a_retry(gateway: Running, upstream: Upstream, status: int, kind: str, retry: str) -> None:
    upstream.answer = error(status, kind, "no", headers={"request-id": "req_9"})
    async with gateway.client.post(f"{gateway.url}/v1/messages", json=body()) as response:
        assert (response.status, response.headers["x-should-retry"], response.headers["request-id"]) == (status, retry, "req_9")
        assert spoken(await response.read()) == (kind, "no")


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid_request_error"), (429, "rate_limit_error"), (500, "api_error"), (529, "overloaded_error")]
)
async def test_an_error_passes_costs_nothing_and_is_reported(gateway: Running, upstream: Upstream, status: int, kind: str) -> None:
    upstream.answer = error(status, kind, "not now", headers={"retry-after": "7", "anthropic-ratelimit-unified-status": "rejected"})
    async with gateway.client.post(f"{gateway.url}/v1/messages", json=body()) as response:
        assert response.status == status
        assert "x-should-retry" not in response.headers
        assert (response.headers["retry-after"], response.headers["anthropic-ratelimit-unified-status"]) == ("7", "rejected")
        assert spoken(await response.read()) == (kind, "not now")
    report = await gateway.report()
    assert (report["usage"]["requests"], report["usage"]["cost"], report["usage"]["estimated"]) == (0, "0.000000", False)
    assert report["lastError"] == {"status": status, "type": kind, "message": "not now"}
    assert report["firstRequest"] is not None
    assert (await gateway.outside("/ready"))[0] == 503


async def test_each_try_that_was_answered_is_counted(gateway: Running, upstream: Upstream) -> None:
    upstream.answer = in_turn(error(529, "overloaded_error", "no"), events(*stream()[:3], drop=True), events(*stream()))
    assert (await gateway.ask())[0] == 529
    with pytest.raises(aiohttp.ClientPayloadError):
        await gateway.ask()
    assert (await gateway.ask())[0] == 200
    usage = (await gateway.report())["usage"]
    assert (usage["requests"], usage["inputTokens"], usage["outputTokens"], usage["estimated"]) == (2, 200, 43, True)


async def test_an_echoed_key_is_taken_out_everywhere(gateway: Running, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    upstream.answer = error(401, "authentication_error", f"invalid x-api-key {KEY}", headers={"x-debug": f"got {KEY}"})
    async with gateway.client.post(f"{gateway.url}/v1/messages", json=body()) as response:
        seen = str(response.headers) + (await response.read()).decode()
    upstream.answer = events(event("error", error={"type": KEY, "message": f"bad key {KEY}"}))
    await gateway.ask()
    for place in (seen, json.dumps(await gateway.report()), gateway.settings.termination_log.read_text(), str(gateway.journal()), caplog.text):
        assert KEY not in place
    assert "invalid x-api-key [redacted]" in seen
    assert (await gateway.report())["lastError"] == {"status": 200, "type": "[redacted]", "message": "bad key [redacted]"}


async def test_a_compressed_error_is_read_and_passed_on_decoded(gateway: Running, upstream: Upstream) -> None:
    packed = gzip.compress(json.dumps({"type": "error", "error": {"type": "api_error", "message": f"key {KEY}"}}).encode())

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500, body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    upstream.answer = answer
    async with gateway.client.post(f"{gateway.url}/v1/messages", json=body()) as response:
        assert "Content-Encoding" not in response.headers
        assert spoken(await response.read()) == ("api_error", "key [redacted]")


async def test_an_endless_error_is_cut(gateway: Running, upstream: Upstream) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    upstream.answer = answer
    status, content = await gateway.ask()
    assert (status, len(content)) == (500, 256 << 10)
    assert (await gateway.report())["lastError"]["message"] == "x" * 255 + "…"


async def test_an_error_that_breaks_off_is_still_an_error(gateway: Running, upstream: Upstream) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=503, headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    upstream.answer = answer
    assert (await gateway.ask())[0] == 503
    assert (await gateway.report())["lastError"] == {"status": 503, "type": "api_error", "message": "half"}


async def test_a_redirect_is_not_followed_with_the_key(gateway: Running, upstream: Upstream) -> None:
    upstream.answer = reply({}, status=302, headers={"Location": f"{upstream.url}/elsewhere"})
    status, content = await gateway.ask()
    assert status == 502
    assert "Set baseURL of the ModelProvider" in spoken(content)[1]
    assert len(upstream.received) == 1
    assert (await gateway.report())["lastError"]["status"] == 502


@pytest.mark.parametrize("size", [2 << 20, (32 << 20) - 40])
async def test_a_large_body_passes(gateway: Running, upstream: Upstream, size: int) -> None:
    assert (await gateway.ask(messages="x" * (size - len(json.dumps(body(messages=""))))))[0] == 200
    assert len(upstream.received[0].body) == size


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


async def test_the_logs_say_who_and_how_much_and_nothing_of_what(gateway: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await gateway.ask(messages=[{"role": "user", "content": "a private prompt"}], headers={"x-private": "header-value"})
    [line] = [record for record in caplog.records if record.message == "request"]
    said = {name: getattr(line, name) for name in ("model", "status", "request", "input_tokens", "output_tokens", "estimated")}
    assert said == {"model": MODEL, "status": 200, "request": "req_1", "input_tokens": 100, "output_tokens": 40, "estimated": False}
    everything = "".join(str(record.__dict__) for record in caplog.records if record.name.startswith("stint"))
    assert "private prompt" not in everything
    assert "header-value" not in everything


async def test_the_log_says_why_nothing_came_of_a_request(start_gateway: StartGateway, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    gateway = await start_gateway(base_url="http://127.0.0.1:1")
    await gateway.ask()
    [line] = [record for record in caplog.records if record.message == "request"]
    assert (line.__dict__["status"], line.__dict__["error"]) == (None, "connection_failed")
    assert line.__dict__["problem"].startswith("The provider at http://127.0.0.1:1 cannot be reached: Cannot connect")


async def test_the_log_has_the_type_of_the_providers_error_and_not_its_words(
    gateway: Running, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    upstream.answer = error(400, "invalid_request_error", "messages.0: a private prompt")
    await gateway.ask()
    [line] = [record for record in caplog.records if record.message == "request"]
    assert (line.__dict__["status"], line.__dict__["error"]) == (400, "invalid_request_error")
    assert "private prompt" not in str(line.__dict__)
