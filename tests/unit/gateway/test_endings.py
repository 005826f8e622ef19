"""How answers end: whole, broken off by the provider, left by the agent, cut at the end of the pod."""

from __future__ import annotations

import asyncio
import contextlib
import json

import aiohttp
import pytest
from aiohttp import web

from unit.gateway.conftest import StartGateway
from unit.gateway.kit import STOP, Running, Upstream, body, event, events, message, message_delta, message_start, reply, stream, text_delta, until


async def leave_after(gateway: Running, upstream: Upstream, expected: bytes, **changes: object) -> None:
    """Ask, read `expected`, and close the connection; with nothing expected, as soon as the provider has the request."""
    already = len(upstream.received)
    session = aiohttp.ClientSession()
    asking = asyncio.create_task(session.post(f"{gateway.url}/v1/messages", json=body(**changes)))
    await until(lambda: len(upstream.received) > already)
    if expected:
        response = await asking
        assert await response.content.readexactly(len(expected)) == expected
        response.close()
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    await session.close()


async def settled(gateway: Running) -> dict[str, object]:
    """The usage once no exchange is under way any more."""
    await until(lambda: not gateway.gateway._proxy.pumps)
    usage = (await gateway.report())["usage"]
    return {name: usage[name] for name in ("requests", "inputTokens", "outputTokens", "estimated")}


async def test_an_agent_that_leaves_ends_the_providers_work_and_pays_what_was_done(gateway: Running, upstream: Upstream) -> None:
    upstream.answer = events(message_start(), text_delta("x" * 101), hold=asyncio.Event())
    await leave_after(gateway, upstream, message_start() + text_delta("x" * 101))
    await asyncio.wait_for(upstream.gone.wait(), 10)
    assert await settled(gateway) == {"requests": 1, "inputTokens": 100, "outputTokens": 51, "estimated": True}
    assert gateway.termination_message()["usage"]["outputTokens"] == 51
    assert gateway.journal()[-1]["usage"]["outputTokens"] == 51
    assert (await gateway.report())["lastError"] is None


async def test_leaving_before_the_first_byte_does_not_hide_the_input(gateway: Running, upstream: Upstream) -> None:
    hold = asyncio.Event()
    never = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        await hold.wait()
        return await events(message_start(input_tokens=5000), hold=never)(request)

    upstream.answer = answer
    await leave_after(gateway, upstream, b"")
    assert len(gateway.gateway._proxy.pumps) == 1, "the provider's side goes on"
    hold.set()
    await asyncio.wait_for(upstream.gone.wait(), 10)
    assert await settled(gateway) == {"requests": 1, "inputTokens": 5000, "outputTokens": 1, "estimated": True}


async def test_leaving_an_answer_in_one_piece_does_not_hide_its_output(gateway: Running, upstream: Upstream) -> None:
    hold = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        await hold.wait()
        return await reply(message(input_tokens=10, output_tokens=900))(request)

    upstream.answer = answer
    await leave_after(gateway, upstream, b"", stream=False)
    hold.set()
    assert await settled(gateway) == {"requests": 1, "inputTokens": 10, "outputTokens": 900, "estimated": False}


async def test_leaving_in_the_middle_of_an_answer_in_one_piece_does_not_hide_it_either(gateway: Running, upstream: Upstream) -> None:
    hold = asyncio.Event()
    text = json.dumps(message(input_tokens=10, output_tokens=900)).encode()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(text[:20])
        await hold.wait()
        await response.write(text[20:])
        return response

    upstream.answer = answer
    await leave_after(gateway, upstream, text[:20], stream=False)
    hold.set()
    assert await settled(gateway) == {"requests": 1, "inputTokens": 10, "outputTokens": 900, "estimated": False}


async def test_leaving_a_request_that_costs_nothing_ends_it_at_once(gateway: Running, upstream: Upstream) -> None:
    never = asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    upstream.answer = answer
    asking = asyncio.create_task(gateway.client.get(f"{gateway.url}/v1/models"))
    await until(lambda: len(upstream.received) == 1)
    asking.cancel()
    await asyncio.wait_for(upstream.gone.wait(), 10)
    assert (await settled(gateway))["requests"] == 0


async def test_a_stream_the_provider_drops_is_dropped_for_the_agent_too(gateway: Running, upstream: Upstream) -> None:
    upstream.answer = events(message_start(), text_delta("x" * 10), drop=True)
    with pytest.raises(aiohttp.ClientPayloadError):
        await gateway.ask()
    assert await settled(gateway) == {"requests": 1, "inputTokens": 100, "outputTokens": 5, "estimated": True}
    failure = (await gateway.report())["lastError"]
    assert (failure["status"], failure["type"]) == (None, "connection_failed")
    assert failure["message"].startswith("The provider's answer broke off")


async def test_a_stream_dropped_after_its_last_word_is_exact(gateway: Running, upstream: Upstream) -> None:
    upstream.answer = events(message_start(), text_delta("x" * 1000), message_delta(40), drop=True)
    with pytest.raises(aiohttp.ClientPayloadError):
        await gateway.ask()
    assert await settled(gateway) == {"requests": 1, "inputTokens": 100, "outputTokens": 40, "estimated": False}


async def test_a_provider_that_hangs_up_without_a_word_is_unreachable_and_free(gateway: Running, upstream: Upstream) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    upstream.answer = answer
    status, content = await gateway.ask()
    assert (status, json.loads(content)["error"]["type"]) == (502, "stint_provider_unreachable")
    assert (await settled(gateway))["requests"] == 0
    assert (await gateway.report())["lastError"]["type"] == "connection_failed"


async def test_a_provider_that_hangs_up_after_its_headers_is_free_too(gateway: Running, upstream: Upstream) -> None:
    upstream.answer = events(drop=True)
    with pytest.raises(aiohttp.ClientPayloadError):
        await gateway.ask()
    assert (await settled(gateway))["requests"] == 0
    assert (await gateway.report())["lastError"]["type"] == "connection_failed"


async def test_a_provider_that_is_not_there_is_named(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(base_url="http://127.0.0.1:1")
    async with gateway.client.post(f"{gateway.url}/v1/messages", json=body()) as response:
        assert response.status == 502
        assert "x-should-retry" not in response.headers, "it may come back"
        failure = json.loads(await response.read())["error"]
    assert failure["type"] == "stint_provider_unreachable", "the runner has to know it from an error of the provider's"
    assert "The provider at http://127.0.0.1:1 cannot be reached" in failure["message"]
    report = await gateway.report()
    assert (report["lastError"]["status"], report["lastError"]["type"]) == (None, "connection_failed")
    assert report["usage"]["requests"] == 0


async def test_a_provider_that_stays_silent_is_given_up_and_may_have_been_paid(start_gateway: StartGateway, upstream: Upstream) -> None:
    gateway = await start_gateway(at={"read_timeout": 0.2})
    never = asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    upstream.answer = answer
    assert (await gateway.ask(stream=False, max_tokens=700))[0] == 502
    size = len(upstream.received[0].body)
    assert await settled(gateway) == {"requests": 1, "inputTokens": (size + 1) // 2, "outputTokens": 700, "estimated": True}
    assert (await gateway.report())["lastError"]["type"] == "connection_failed"


async def test_a_stream_that_falls_silent_is_given_up(start_gateway: StartGateway, upstream: Upstream) -> None:
    gateway = await start_gateway(at={"read_timeout": 0.2})
    upstream.answer = events(message_start(), text_delta("x" * 10), hold=asyncio.Event())
    with pytest.raises(aiohttp.ClientPayloadError):
        await gateway.ask()
    assert await settled(gateway) == {"requests": 1, "inputTokens": 100, "outputTokens": 5, "estimated": True}


async def test_an_error_inside_a_stream_is_passed_on_and_reported(gateway: Running, upstream: Upstream) -> None:
    failed = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    upstream.answer = events(failed)
    assert await gateway.ask() == (200, failed)
    assert (await settled(gateway))["requests"] == 0
    assert (await gateway.report())["lastError"] == {"status": 200, "type": "overloaded_error", "message": "Overloaded"}
    assert (await gateway.outside("/ready"))[0] == 503, "that was no good answer"
    upstream.answer = events(message_start(), failed)
    await gateway.ask()
    assert await settled(gateway) == {"requests": 1, "inputTokens": 100, "outputTokens": 1, "estimated": True}


async def test_an_agent_that_does_not_read_is_noticed_when_it_leaves(gateway: Running, upstream: Upstream) -> None:
    begun = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(message_start())
        begun.set()
        while True:
            await response.write(text_delta("x" * 65536))

    upstream.answer = answer
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.gateway.agent_port, limit=1)
    content = json.dumps(body()).encode()
    writer.write(f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
    await asyncio.wait_for(begun.wait(), 10)
    await reader.read(1)
    writer.transport.abort()
    await asyncio.wait_for(upstream.gone.wait(), 10)
    usage = await settled(gateway)
    assert (usage["requests"], usage["estimated"]) == (1, True)


async def test_at_the_end_of_the_pod_answers_under_way_are_finished(gateway: Running, upstream: Upstream) -> None:
    hold = asyncio.Event()
    upstream.answer = events(*stream(), hold=hold)
    asking = asyncio.create_task(gateway.ask())
    await until(lambda: len(upstream.received) == 1)
    stopping = asyncio.create_task(gateway.stop())
    await until(lambda: gateway.gateway._proxy.closing)
    hold.set()
    assert (await asking)[1] == b"".join(stream())
    await stopping
    report = gateway.termination_message()
    assert (report["usage"]["outputTokens"], report["usage"]["estimated"]) == (40, False)


async def test_at_the_end_of_the_pod_no_new_request_is_taken(start_gateway: StartGateway, upstream: Upstream) -> None:
    gateway = await start_gateway()
    hold = asyncio.Event()
    upstream.answer = events(*stream(), hold=hold)
    asking = asyncio.create_task(gateway.ask())
    async with aiohttp.ClientSession() as kept_alive:
        async with kept_alive.get(f"{gateway.url}/api/hello") as response:
            await response.read()
        await until(lambda: len(upstream.received) == 1)
        stopping = asyncio.create_task(gateway.stop())
        await until(lambda: gateway.gateway._proxy.closing)
        async with kept_alive.post(f"{gateway.url}/v1/messages", json=body()) as response:
            assert response.status == 503
            assert "is being stopped" in (await response.json())["error"]["message"]
    hold.set()
    await asyncio.gather(asking, stopping)
    assert len(upstream.received) == 1


async def test_an_answer_that_takes_too_long_at_the_end_of_the_pod_is_cut_and_estimated(start_gateway: StartGateway, upstream: Upstream) -> None:
    gateway = await start_gateway(at={"drain": 0.05})
    upstream.answer = events(message_start(), text_delta("x" * 10), hold=asyncio.Event())
    session = aiohttp.ClientSession()
    response = await session.post(f"{gateway.url}/v1/messages", json=body())
    expected = message_start() + text_delta("x" * 10)
    assert await response.content.readexactly(len(expected)) == expected
    await asyncio.wait_for(gateway.stop(), 10)
    with pytest.raises(aiohttp.ClientPayloadError):
        await response.read()
    await session.close()
    report = gateway.termination_message()
    assert (report["usage"]["outputTokens"], report["usage"]["estimated"]) == (5, True)
    assert gateway.journal()[-1]["usage"]["outputTokens"] == 5


async def test_a_request_cut_before_its_answer_at_the_end_of_the_pod_is_estimated(start_gateway: StartGateway, upstream: Upstream) -> None:
    gateway = await start_gateway(at={"drain": 0.05})
    never = asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    upstream.answer = answer
    await leave_after(gateway, upstream, b"")
    await asyncio.wait_for(gateway.stop(), 10)
    usage = gateway.termination_message()["usage"]
    assert (usage["inputTokens"], usage["estimated"]) == ((len(upstream.received[0].body) + 1) // 2, True)


async def test_after_a_restart_of_the_container_the_account_goes_on(start_gateway: StartGateway, upstream: Upstream) -> None:
    first = await start_gateway(limits={"cost": "0.003"})
    await first.ask()
    await first.client.post(f"{first.url}/stint/output", json={"output": 5})
    before = await first.report()
    await first.stop()
    second = await start_gateway(limits={"cost": "0.003"})
    assert await second.report() == {**before, "lastAnswer": None}, "the provider has not been asked since"
    assert (await second.outside("/ready"))[0] == 200
    assert (await second.ask())[0] == 200
    assert (await second.ask())[0] == 429, "the limit is the pod's, not the container's"
    assert (await second.report())["usage"]["requests"] == 2


async def test_what_an_unsettled_pod_used_counts_against_the_limits_but_not_into_the_report(start_gateway: StartGateway) -> None:
    for pod in ("pod-0", "pod-1"):
        before = await start_gateway(at={"pod_uid": pod})
        await before.ask()
        await before.stop()
    after = await start_gateway(at={"pod_uid": "pod-2"}, limits={"cost": "0.003"}, unsettled=["pod-1"])
    assert (await after.ask())[0] == 200
    status, content = await after.ask()
    assert (status, b"has used 0.003000 USD" in content) == (429, True), "pod-0 was settled: limits are what is left after it"
    assert (await after.report())["usage"]["cost"] == "0.001500"


async def test_a_gateway_that_is_killed_has_counted_what_was_under_way(start_gateway: StartGateway, upstream: Upstream) -> None:
    killed = await start_gateway()
    await killed.ask()
    upstream.answer = events(message_start(), hold=asyncio.Event())
    asking = asyncio.create_task(killed.ask(max_tokens=700))
    await until(lambda: killed.journal()[-1]["usage"]["requests"] == 2)
    most = {"requests": 2, "inputTokens": 100 + (len(upstream.received[-1].body) + 1) // 2, "outputTokens": 740, "estimated": True}
    for usage in (killed.termination_message()["usage"], killed.journal()[-1]["usage"]):
        assert {name: usage[name] for name in most} == most
    assert (await killed.report())["usage"]["requests"] == 1, "the live report counts what is settled"
    # Killed: its successor finds the journal as it stands.
    successor = await start_gateway(limits={"cost": "0.01"})
    usage = (await successor.report())["usage"]
    assert {name: usage[name] for name in most} == most
    assert (await successor.ask())[0] == 429
    asking.cancel()


async def test_the_next_pod_starts_anew_and_reports_the_one_before(start_gateway: StartGateway) -> None:
    first = await start_gateway()
    await first.ask()
    await first.stop()
    second = await start_gateway(at={"pod_uid": "pod-2"}, attempt=2)
    report = await second.report()
    assert (report["pod"], report["attempt"], report["usage"]["requests"], report["firstRequest"]) == ("pod-2", 2, 0, None)
    [previous] = report["previous"]
    assert (previous["pod"], previous["attempt"], previous["usage"]["cost"]) == ("pod-1", 1, "0.001500")
    assert "byModel" not in previous["usage"]
    assert STOP in (await second.ask())[1]
