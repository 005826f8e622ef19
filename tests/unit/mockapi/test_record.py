"""What was seen, and what it would have cost."""

import json
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest

from mockapi.credential import Credential
from mockapi.errors import BadScript
from mockapi.prices import default_prices, load_prices, usd
from mockapi.record import Call, Recorder
from mockapi.state import Options
from mockapi.usage import Usage
from unit.mockapi.calls import MODEL, Api, script, user

USAGE = {"input_tokens": 1000, "output_tokens": 200, "cache_read_input_tokens": 30000, "cache_creation": {"ephemeral_5m_input_tokens": 400}}


async def test_a_request_is_recorded_with_what_it_asked_and_got(api: Api) -> None:
    answer = await api.ask(script({"text": "hello"}, before="é" * 3000), session="s9", agent="a1")
    [call] = await api.seen("s9")
    assert call["model"] == MODEL
    assert call["agent"] == "a1"
    assert (call["method"], call["path"], call["stream"], call["status"]) == ("POST", "/v1/messages", True, 200)
    assert (call["done"], call["aborted"], call["error"]) == (True, False, None)
    assert call["usage"]["output_tokens"] == answer.usage["output_tokens"]
    assert call["requestId"] == answer.headers["request-id"]
    assert call["remote"] == "127.0.0.1"
    assert len(call["prompt"].encode()) == 2048
    assert "body" not in call


async def test_totals_are_sums_by_model_with_their_cost(api: Api) -> None:
    await api.ask(script({"text": "x", "usage": USAGE}))
    await api.ask(script({"text": "x", "usage": USAGE}), stream=False)
    await api.ask(script({"text": "x", "usage": {"input_tokens": 7, "output_tokens": 1}}), model="claude-sonnet-5-5-20260901")
    await api.ask("hi", path="/v1/messages/count_tokens")
    totals = await api.totals()
    assert (totals["requests"], totals["answered"], totals["otherRequests"]) == (3, 3, 1)
    usage = totals["usage"]
    assert (usage["inputTokens"], usage["outputTokens"], usage["cacheReadTokens"], usage["cacheWriteTokens"]) == (2007, 401, 60000, 800)
    opus = usage["byModel"][MODEL]
    assert opus["requests"] == 2
    assert opus["cost"] == "0.032000"  # (2,000 x 4 + 400 x 20 + 60,000 x 0.2 + 800 x 5) / 1e6
    assert usage["byModel"]["claude-sonnet-5-5-20260901"]["cost"] == "0.000024"
    assert Decimal(usage["cost"]) == Decimal("0.032024")


async def test_totals_of_all_sessions_are_exact_beyond_the_ring(api: Api) -> None:
    for n in range(30):
        await api.ask(script({"text": "x", "usage": USAGE}), session=f"s{n % 3}")
    sessions = await api.control("GET", "/sessions")
    assert sessions["total"]["usage"]["inputTokens"] == 30_000
    assert {name: totals["requests"] for name, totals in sessions["sessions"].items()} == {"s0": 10, "s1": 10, "s2": 10}
    assert list((await api.control("GET", "/sessions?session=s2"))["sessions"]) == ["s2"]


@pytest.mark.parametrize("options", [Options(keep=5)])
async def test_the_ring_keeps_the_newest(api: Api) -> None:
    for n in range(8):
        await api.ask("hi", session=f"s{n}")
    assert [call["session"] for call in await api.control("GET", "/requests")] == ["s3", "s4", "s5", "s6", "s7"]
    assert [call["session"] for call in await api.control("GET", "/requests?limit=2")] == ["s6", "s7"]
    assert (await api.control("GET", "/sessions"))["total"]["requests"] == 8


@pytest.mark.parametrize("options", [Options(bodies=True)])
async def test_bodies_are_kept_when_asked_for(api: Api) -> None:
    for _ in range(102):
        await api.ask("hi", temperature=0.5)
    calls = await api.seen()
    assert calls[-1]["body"]["temperature"] == 0.5
    assert calls[-1]["body"]["messages"] == [user("hi")]
    assert sum("body" in call for call in calls) == 100


async def test_requests_can_be_filtered(api: Api) -> None:
    await api.ask(script({"fault": {"status": 529}}))
    await api.ask("hi", model="claude-sonnet-5-5")
    assert len(await api.control("GET", "/requests?status=529")) == 1
    assert len(await api.control("GET", "/requests?model=claude-sonnet-5-5&done=true")) == 1
    async with api.http.get(f"{api.url}/_mock/requests?colour=red") as response:
        assert response.status == 400


async def test_what_was_seen_can_be_forgotten(api: Api) -> None:
    await api.ask("hi")
    await api.control("DELETE", "/requests")
    assert await api.control("GET", "/requests") == []
    assert (await api.control("GET", "/sessions"))["total"]["requests"] == 0


async def test_a_reset_forgets_everything(api: Api) -> None:
    await api.control("PUT", "/keys", ["x"])
    await api.control("PUT", "/faults", [{"status": 529}])
    await api.control("PUT", "/gates/go")
    await api.control("PUT", "/ratelimit", {"unified-status": "rejected"})
    await api.control("POST", "/reset")
    assert (await api.ask("hi")).status == 200
    assert [await api.control("GET", path) for path in ("/keys", "/faults", "/gates", "/ratelimit")] == [None, [], {}, {}]


def test_ten_thousand_sessions_take_little_memory() -> None:
    recorder = Recorder(keep=100, bodies=False)
    tracemalloc.start()
    try:
        for n in range(20_000):
            call = Call("POST", "/v1/messages", f"session-{n % 10_000}", "", Credential(key="k"), "127.0.0.1", model=MODEL)
            recorder.begin(call)
            call.status, call.usage = 200, Usage(1, 1)
            recorder.end(call)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert recorder.total.requests == 20_000
    assert used / 10_000 < 3_000


def test_a_price_table_is_read_from_a_file(tmp_path: Path) -> None:
    row = {"input": "5", "output": "25", "cacheRead": "0.5", "cacheWrite5m": "6.25", "cacheWrite1h": "10"}
    (tmp_path / "prices.json").write_text(json.dumps({"my-model": row, "my-model-big": {**row, "input": "50"}}))
    prices = load_prices(tmp_path / "prices.json")
    assert prices.as_json()["my-model"] == row
    assert prices.of("my-model-20260101").input == 5
    assert prices.of("my-model-big-1").input == 50
    assert prices.of("unheard-of").input == 50, "an unknown model counts as the dearest"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"m": {"input": "5"}}', '{"m": 1}'])
def test_a_price_table_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "prices.json").write_text(content)
    with pytest.raises(BadScript, match="price table"):
        load_prices(tmp_path / "prices.json")


def test_costs_are_plain_decimals() -> None:
    assert usd(Decimal(0)) == "0.000000"
    assert usd(Decimal("0.0000001")) == "0.0000001"
    assert usd(Decimal("1E+2")) == "100.000000"
    assert usd(default_prices().of(MODEL).cost(Usage(1, 1, 1, 1, 1))) == "0.0000372"
