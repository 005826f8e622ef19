"""What must not get out by way of the gateway: the credential, and what is said to the model."""

from __future__ import annotations

import json
import logging

import pytest

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
    reply,
    spoken,
)


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


async def test_a_redirect_is_not_followed_with_the_key(gateway: Running, upstream: Upstream) -> None:
    upstream.answer = reply({}, status=302, headers={"Location": f"{upstream.url}/elsewhere"})
    status, content = await gateway.ask()
    assert status == 502
    assert "Set baseURL of the ModelProvider" in spoken(content)[1]
    assert len(upstream.received) == 1
    assert (await gateway.report())["lastError"]["status"] == 502


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
