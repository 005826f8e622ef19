"""Faults: by the script for its own step, and from outside for any request."""

import asyncio
from typing import Any

import aiohttp
import pytest

from unit.mockapi.calls import Api, script


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "api_error"),
        (529, "overloaded_error"),
    ],
)
async def test_a_fault_has_the_shape_of_the_api(api: Api, status: int, kind: str) -> None:
    answer = await api.ask(script({"fault": {"status": status}}))
    assert answer.status == status
    assert answer.body["type"] == "error"
    assert answer.body["error"]["type"] == kind
    assert answer.body["request_id"] == answer.headers["request-id"]
    assert "retry-after" not in answer.headers


async def test_a_fault_carries_the_headers_and_the_body_it_is_given(api: Api) -> None:
    fault = {"status": 503, "headers": {"Retry-After": 7}, "body": "<h1>proxy</h1>"}
    answer = await api.ask(script({"fault": fault}))
    assert answer.headers["retry-after"] == "7"
    assert answer.body == "<h1>proxy</h1>"
    named = await api.ask(script({"fault": {"status": 400, "type": "billing_error", "message": "Your credit balance is too low"}}))
    assert named.body["error"] == {"type": "billing_error", "message": "Your credit balance is too low"}


async def test_a_fault_without_times_comes_every_time(api: Api) -> None:
    prompt = script({"fault": {"status": 529}, "text": "never"})
    assert [(await api.ask(prompt)).status for _ in range(3)] == [529, 529, 529]


async def test_a_fault_with_times_gives_way_to_the_answer(api: Api) -> None:
    prompt = script({"fault": {"status": 529, "times": 2}, "text": "recovered"})
    assert [(await api.ask(prompt)).status for _ in range(3)] == [529, 529, 200]
    assert (await api.ask(prompt)).text == "recovered"
    assert (await api.ask(prompt, session="s2")).status == 529, "another session has its own count"
    assert (await api.ask(prompt, agent="a1")).status == 529, "so has a subagent"
    totals = await api.totals()
    assert (totals["requests"], totals["failed"], totals["statuses"]) == (5, 3, {"200": 2, "529": 3})


async def test_every_trouble_can_be_limited(api: Api) -> None:
    prompt = script({"drop": True, "times": 1, "text": "whole answer"})
    with pytest.raises(aiohttp.ClientPayloadError):
        await api.ask(prompt)
    assert (await api.ask(prompt)).text == "whole answer"
    prompt = script({"sse_error": "api_error", "times": 1, "text": "fine"})
    assert (await api.ask(prompt)).kinds[-1] == "error"
    assert (await api.ask(prompt)).text == "fine"


async def test_faults_from_outside_come_in_order_and_are_used_up(api: Api) -> None:
    await api.control("PUT", "/faults", [{"status": 529, "times": 2}, {"status": 429, "headers": {"retry-after": "1"}}])
    assert [(await api.ask("hi")).status for _ in range(4)] == [529, 529, 429, 200]
    left = await api.control("GET", "/faults")
    assert [(fault["times"], fault["hits"]) for fault in left] == [(0, 2), (0, 1)]


async def test_a_fault_for_ever_lasts_until_it_is_deleted(api: Api) -> None:
    await api.control("PUT", "/faults", [{"status": 529, "times": -1}])
    assert [(await api.ask("hi")).status for _ in range(3)] == [529, 529, 529]
    await api.control("DELETE", "/faults")
    assert (await api.ask("hi")).status == 200


@pytest.mark.parametrize(
    "selector",
    [{"model": "claude-opus-*"}, {"session": "s1"}, {"credential": "c1e9cb9c4b9d"}, {"path": "*"}],
    ids=lambda value: next(iter(value)),
)
async def test_a_fault_hits_only_whom_it_selects(api: Api, selector: dict[str, str]) -> None:
    await api.ask("hi", session="s0")
    if "credential" in selector:
        selector = {"credential": (await api.seen("s0"))[0]["credential"]}
    await api.control("PUT", "/faults", [{"status": 529, "times": -1, **selector}])
    assert (await api.ask("hi")).status == 529
    others: dict[str, dict[str, Any]] = {
        "model": {"model": "claude-sonnet-5-5"},
        "session": {"session": "s2"},
        "credential": {"key": "key-2"},
    }
    other = others.get(next(iter(selector)))
    if other is not None:
        assert (await api.ask("hi", **other)).status == 200


async def test_a_fault_leaves_other_endpoints_alone_unless_it_names_them(api: Api) -> None:
    await api.control("PUT", "/faults", [{"status": 529}])
    assert (await api.ask("hi", path="/v1/messages/count_tokens")).status == 200
    await api.control("PUT", "/faults", [{"status": 529, "path": "/v1/messages/count_tokens"}])
    assert (await api.ask("hi", path="/v1/messages/count_tokens")).status == 529
    assert (await api.ask("hi")).status == 200


async def test_a_connection_can_be_refused_an_answer(api: Api) -> None:
    await api.control("PUT", "/faults", [{"drop": True}])
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await api.ask("hi")
    [call] = await api.seen()
    assert call["aborted"]
    assert call["status"] is None


async def test_a_stream_can_be_broken_from_outside(api: Api) -> None:
    await api.control("PUT", "/faults", [{"drop": "middle"}, {"sse_error": "overloaded_error"}])
    with pytest.raises(aiohttp.ClientPayloadError):
        await api.ask("hi")
    assert (await api.ask("hi")).kinds[-1] == "error"
    assert (await api.ask("hi")).kinds[-1] == "message_stop"


async def test_a_hang_from_outside_lasts_until_the_client_leaves(api: Api) -> None:
    await api.control("PUT", "/faults", [{"hang": True}])
    asking = asyncio.create_task(api.ask("hi"))
    await api.control("GET", "/requests?atleast=1&timeout=5")
    asking.cancel()
    [call] = await api.control("GET", "/requests?aborted=true&atleast=1&timeout=5")
    assert call["usage"]["input_tokens"] == 0


@pytest.mark.parametrize("wrong", [{}, [{}], [{"status": 200}], [{"status": 529, "drop": True}], [{"stats": 529}], [{"drop": "end"}], ["x"]])
async def test_a_fault_that_makes_no_sense_is_explained(api: Api, wrong: object) -> None:
    async with api.http.put(f"{api.url}/_mock/faults", json=wrong) as response:
        assert response.status == 400
        assert (await response.json())["error"]
