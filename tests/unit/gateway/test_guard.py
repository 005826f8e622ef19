"""An endpoint that fails again and again is left alone for a moment; what says nothing about it counts for nothing."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web

from stint.gateway.errors import Refused
from stint.gateway.guard import FAILURES, Guard
from unit.gateway.kit import Running, Upstream, body, error, events, in_turn, spoken, stream


def fail(guard: Guard, times: int = FAILURES, kind: str = "Overloaded") -> None:
    for _ in range(times):
        guard.enter().ended(kind)


def rested(guard: Guard) -> None:
    """So much time has passed."""
    assert guard._storage.opened_at is not None
    guard._storage.opened_at -= timedelta(seconds=11)


def refusal(guard: Guard) -> Refused:
    with pytest.raises(Refused) as caught:
        guard.enter()
    return caught.value


@pytest.mark.parametrize("kind", ["ProviderUnreachable", "ServerError", "Overloaded"])
def test_after_five_failures_in_a_row_nothing_goes_out(kind: str) -> None:
    guard = Guard("https://api.example")
    fail(guard, FAILURES - 1, kind)
    guard.enter().ended(kind)
    told = refusal(guard).refusal
    assert (told.status, told.kind, told.retry, told.retry_after) == (502, "stint_provider_unreachable", True, 10)
    assert told.message == f"The provider at https://api.example has failed 5 times in a row (last: {kind}). It is asked again in 10 s."


@pytest.mark.parametrize("kind", ["Good", "Refused", "AuthFailed", "RateLimited"])
def test_an_answer_of_any_kind_shows_that_it_lives(kind: str) -> None:
    guard = Guard("https://api.example")
    fail(guard, FAILURES - 1)
    guard.enter().ended(kind)
    fail(guard, FAILURES - 1)
    guard.enter()


def test_a_call_that_was_given_up_counts_for_nothing() -> None:
    guard = Guard("https://api.example")
    fail(guard, FAILURES - 1)
    for _ in range(10):
        guard.enter().ended(None)
    guard.enter().ended("ServerError")
    refusal(guard)


def test_after_a_rest_one_call_tries_and_closes_it_for_all() -> None:
    guard = Guard("https://api.example")
    fail(guard)
    rested(guard)
    first = guard.enter()
    assert refusal(guard).refusal.retry_after == 1, "one tries at a time"
    first.ended("Good")
    guard.enter()
    guard.enter()


def test_a_try_that_fails_is_followed_by_another_rest() -> None:
    guard = Guard("https://api.example")
    fail(guard)
    rested(guard)
    guard.enter().ended("ProviderUnreachable")
    assert refusal(guard).refusal.retry_after == 10


def test_a_try_that_was_given_up_leaves_the_place_to_the_next() -> None:
    guard = Guard("https://api.example")
    fail(guard)
    rested(guard)
    guard.enter().ended(None)
    guard.enter()


def test_what_was_under_way_when_it_opened_changes_nothing() -> None:
    guard = Guard("https://api.example")
    late = guard.enter()
    fail(guard)
    late.ended("Good")
    refusal(guard)


async def test_the_agent_is_told_at_once_and_the_provider_is_not_asked(gateway: Running, upstream: Upstream) -> None:
    upstream.answer = error(529, "overloaded_error", "no")
    for _ in range(FAILURES):
        assert (await gateway.ask())[0] == 529
    asked = len(upstream.received)
    async with gateway.client.post(f"{gateway.url}/v1/messages", json=body()) as response:
        assert response.status == 502
        assert response.headers["retry-after"] == "10"
        assert "x-should-retry" not in response.headers
        assert spoken(await response.read())[0] == "stint_provider_unreachable"
    assert len(upstream.received) == asked
    report = await gateway.report()
    assert (report["lastError"]["status"], report["lastAnswer"], report["usage"]["requests"]) == (529, "Overloaded", 0)


async def test_mistakes_of_the_agent_are_answered_by_the_provider_however_many_they_are(gateway: Running, upstream: Upstream) -> None:
    upstream.answer = error(400, "invalid_request_error", "no such field")
    for _ in range(3 * FAILURES):
        assert (await gateway.ask())[0] == 400
    assert (await gateway.report())["lastAnswer"] == "Refused"


async def test_streams_that_the_agent_leaves_do_not_count(gateway: Running, upstream: Upstream) -> None:
    for _ in range(2 * FAILURES):
        begun = asyncio.Event()

        async def silent(_: web.Request, begun: asyncio.Event = begun) -> web.StreamResponse:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError

        upstream.answer = silent
        asking = asyncio.create_task(gateway.ask())
        await begun.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    upstream.answer = events(*stream())
    assert (await gateway.ask())[0] == 200


async def test_what_the_provider_said_last_is_in_the_report(gateway: Running, upstream: Upstream) -> None:
    assert (await gateway.report())["lastAnswer"] is None
    broken = events(stream()[0], b"data: {", drop=True)
    upstream.answer = in_turn(error(500, "api_error", "no"), events(*stream()), broken, error(401, "authentication_error", "no"))
    said = []
    for _ in range(4):
        with contextlib.suppress(aiohttp.ClientPayloadError):
            await gateway.ask()
        said.append((await gateway.report())["lastAnswer"])
    assert said == ["ServerError", "Good", "ProviderUnreachable", "AuthFailed"]


async def test_windows_of_answers_and_refusals_are_in_the_report(gateway: Running, upstream: Upstream) -> None:
    told = "anthropic-ratelimit-unified-5h-"
    headers = {f"{told}status": "rejected", f"{told}utilization": "1", f"{told}reset": "4102444800"}
    upstream.answer = error(429, "rate_limit_error", "no", headers=headers)
    await gateway.ask()
    [(name, window)] = (await gateway.report())["windows"].items()
    assert (name, window["status"], window["utilization"], window["resetsAt"]) == ("FiveHour", "Rejected", 100, "2100-01-01T00:00:00Z")
