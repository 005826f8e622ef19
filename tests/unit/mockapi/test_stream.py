"""Streams and documents have the shape of the API's own."""

import asyncio
import itertools
import json
import time

import aiohttp
import pytest

from unit.mockapi.calls import MODEL, Api, assistant, script, tool_result, tool_use, user


async def test_a_stream_opens_and_closes_every_block(api: Api) -> None:
    step = {"thinking": "let me see", "text": "hello there", "tools": [{"tool": "Bash", "input": {"command": "ls"}}, {"tool": "Read"}]}
    answer = await api.ask(script(step))

    assert answer.status == 200
    assert [kind for kind, _ in itertools.groupby(answer.kinds) if kind != "ping"] == [
        "message_start",
        *["content_block_start", "content_block_delta", "content_block_stop"] * 4,
        "message_delta",
        "message_stop",
    ]
    blocks = [event["content_block"] for event in answer.events if event["type"] == "content_block_start"]
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use", "tool_use"]
    assert [event["index"] for event in answer.events if event["type"] == "content_block_start"] == [0, 1, 2, 3]
    assert blocks[2]["name"] == "Bash"
    assert blocks[2]["input"] == {}
    assert blocks[2]["id"] != blocks[3]["id"]
    deltas = [event for event in answer.events if event["type"] == "content_block_delta"]
    assert json.loads("".join(delta["delta"].get("partial_json", "") for delta in deltas if delta["index"] == 2)) == {"command": "ls"}
    assert answer.text == "hello there"
    assert answer.events[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}


async def test_usage_is_whole_at_the_start_and_cumulative_at_the_end(api: Api) -> None:
    usage = {"input_tokens": 10, "output_tokens": 200, "cache_read_input_tokens": 3000, "cache_creation": {"ephemeral_1h_input_tokens": 40}}
    answer = await api.ask(script({"text": "hello", "usage": usage}))

    assert answer.events[0]["message"]["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 40,
        "cache_read_input_tokens": 3000,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 40},
        "output_tokens": 1,
        "service_tier": "standard",
    }
    assert answer.events[-2]["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 40,
        "cache_read_input_tokens": 3000,
        "output_tokens": 200,
    }


async def test_the_same_conversation_always_counts_the_same(api: Api) -> None:
    first, second = await api.ask(script({"text": "hello"})), await api.ask(script({"text": "hello"}), session="s2", stream=False)
    assert first.usage == second.body["usage"]
    messages = [user(script({"text": "hello"}))]
    assert first.usage["input_tokens"] == len(json.dumps(messages, separators=(",", ":"))) // 4
    assert first.usage["output_tokens"] == 2
    counted = await api.ask(*messages, path="/v1/messages/count_tokens")
    assert counted.body == {"input_tokens": first.usage["input_tokens"]}


async def test_without_a_stream_the_same_message_comes_as_one_document(api: Api) -> None:
    answer = await api.ask(script({"text": "hello", "stop": "max_tokens"}), stream=False)
    assert answer.headers["content-type"] == "application/json"
    assert answer.body["content"] == [{"type": "text", "text": "hello"}]
    assert answer.body["stop_reason"] == "max_tokens"
    assert answer.body["model"] == MODEL


async def test_a_script_is_played_turn_by_turn(api: Api) -> None:
    said = [user(script({"tool": "Bash", "input": {"command": "ls"}}, {"expect": "file.txt", "text": "listed", "else": "blind"}))]
    first = await api.ask(*said)
    said += [tool_use("Bash", first.events[1]["content_block"]["id"]), tool_result("file.txt")]
    second = await api.ask(*said)
    said += [assistant(second.text), user("Go on.")]
    third = await api.ask(*said)
    assert [second.text, third.text] == ["listed", "done"]
    assert [call["step"] for call in await api.seen()] == [0, 1, 2]
    assert len({call["script"] for call in await api.seen()}) == 1


async def test_a_subagent_follows_its_own_script(api: Api) -> None:
    inner = script({"text": "sub"})
    main = user(script({"tool": "Task", "input": {"prompt": inner}}, {"text": "main"}))
    await api.ask(main)
    assert (await api.ask(inner, agent="a1")).text == "sub"
    assert (await api.ask(main, tool_use("Task"), tool_result("sub"))).text == "main"
    assert (await api.totals())["subagentRequests"] == 1


async def test_a_slow_text_comes_in_pieces_over_time(api: Api) -> None:
    began = time.monotonic()
    answer = await api.ask(script({"slow": 0.2, "chunks": 4, "text": "abcdefgh"}))
    assert time.monotonic() - began >= 0.2
    assert answer.kinds.count("content_block_delta") == 4
    assert answer.text == "abcdefgh"


async def test_a_drop_ends_the_connection_half_way(api: Api) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await api.ask(script({"drop": True, "text": "abcdefgh" * 10}))
    [call] = await api.seen()
    assert call["aborted"]
    assert call["status"] == 200
    assert call["usage"]["output_tokens"] == 10


@pytest.mark.parametrize("place", ["headers", "start"])
async def test_a_drop_may_come_earlier(api: Api, place: str) -> None:
    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await api.ask(script({"drop": True, "at": place, "text": "abcdefgh"}))
    [call] = await api.seen()
    assert call["aborted"]
    assert (call["usage"]["input_tokens"] > 0) == (place == "start")


async def test_a_drop_without_a_stream_cuts_the_document(api: Api) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await api.ask(script({"drop": True, "text": "x"}), stream=False)
    assert (await api.totals())["aborted"] == 1


async def test_an_error_may_come_inside_a_stream(api: Api) -> None:
    answer = await api.ask(script({"sse_error": "overloaded_error", "at": "middle", "text": "abcdefgh"}))
    assert answer.status == 200
    assert answer.text == "abcd"
    assert answer.events[-1] == {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert (await api.totals())["failed"] == 1


async def test_an_error_inside_a_stream_is_a_status_without_one(api: Api) -> None:
    answer = await api.ask(script({"sse_error": "overloaded_error"}), stream=False)
    assert answer.status == 529
    assert answer.body["error"]["type"] == "overloaded_error"


async def test_a_stall_is_silence_after_the_start(api: Api) -> None:
    began = time.monotonic()
    answer = await api.ask(script({"stall": 0.1, "text": "late"}))
    assert time.monotonic() - began >= 0.1
    assert answer.text == "late"


@pytest.mark.parametrize(("place", "status", "output"), [("headers", None, 0), ("start", 200, 1), ("middle", 200, 10)])
async def test_what_was_served_until_the_client_left_is_accounted(api: Api, place: str, status: int | None, output: int) -> None:
    asking = asyncio.create_task(api.ask(script({"until": {"gate": "never"}, "at": place, "text": "abcdefgh" * 10})))
    await api.control("GET", "/gates/never?waiting=1&timeout=5")
    asking.cancel()
    [call] = await api.control("GET", "/requests?aborted=true&done=true&atleast=1&timeout=5")
    assert call["status"] == status
    assert (call["usage"]["input_tokens"] > 0) == (place != "headers")
    assert call["usage"]["output_tokens"] == output
    totals = await api.totals()
    assert (totals["aborted"], totals["answered"], totals["open"]) == (1, 0, 0)
    assert totals["usage"]["outputTokens"] == output


@pytest.mark.parametrize("step", [{"hang": True}, {"stall": True}, {"slow": 60, "text": "abcdefgh"}])
async def test_a_wait_ends_when_the_client_leaves(api: Api, step: dict[str, object]) -> None:
    asking = asyncio.create_task(api.ask(script(step)))
    [arrived] = await api.control("GET", "/requests?atleast=1&timeout=5")
    assert not arrived["done"]
    asking.cancel()
    assert len(await api.control("GET", "/requests?aborted=true&done=true&atleast=1&timeout=5")) == 1


async def test_a_script_with_a_mistake_is_explained(api: Api) -> None:
    answer = await api.ask(script({"txet": "x"}))
    assert answer.status == 400
    assert answer.headers["x-should-retry"] == "false"
    assert answer.body["error"]["message"].startswith("mockapi: step 1: unknown key txet")


async def test_an_empty_text_is_an_empty_message(api: Api) -> None:
    answer = await api.ask(script({"text": ""}))
    assert answer.kinds == ["message_start", "message_delta", "message_stop"]
