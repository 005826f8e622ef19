"""What the agent sees of errors of the provider, and what they cost."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web

from unit.gateway.kit import (
    KEY,
    Running,
    Upstream,
    body,
    error,
    events,
    in_turn,
    spoken,
    stream,
)


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
    advice = report["lastError"].pop("retryAfter")
    assert timedelta(seconds=3) < datetime.fromisoformat(advice) - datetime.now(UTC) <= timedelta(seconds=7)
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
