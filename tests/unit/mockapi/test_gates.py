"""Gates hold a step until a test opens them; nobody sleeps."""

import asyncio
import resource

import pytest

from mockapi import gates
from mockapi.gates import Gates
from unit.mockapi.calls import Api, script


async def test_a_step_waits_until_the_gate_opens(api: Api) -> None:
    asking = asyncio.create_task(api.ask(script({"until": {"gate": "go"}, "text": "through"})))
    assert await api.control("GET", "/gates/go?waiting=1&timeout=5") == {"open": False, "waiting": 1}
    assert not asking.done()
    await api.control("PUT", "/gates/go")
    assert (await asking).text == "through"
    assert await api.control("GET", "/gates") == {"go": {"open": True, "waiting": 0}}


async def test_an_open_gate_lets_everybody_pass_until_it_is_closed(api: Api) -> None:
    await api.control("PUT", "/gates/go")
    assert (await api.ask(script({"until": {"gate": "go"}, "text": "through"}))).text == "through"
    await api.control("DELETE", "/gates/go")
    asking = asyncio.create_task(api.ask(script({"until": {"gate": "go"}, "text": "again"})))
    await api.control("GET", "/gates/go?waiting=1&timeout=5")
    await api.control("PUT", "/gates/go")
    assert (await asking).text == "again"


async def test_a_gate_half_way_holds_the_second_half(api: Api) -> None:
    asking = asyncio.create_task(api.ask(script({"until": {"gate": "go"}, "at": "middle", "text": "abcdefgh"})))
    await api.control("GET", "/gates/go?waiting=1&timeout=5")
    [call] = await api.seen()
    assert call["usage"]["output_tokens"] == 1
    await api.control("PUT", "/gates/go")
    assert (await asking).usage["output_tokens"] == 2


async def test_a_fault_may_wait_at_a_gate(api: Api) -> None:
    asking = asyncio.create_task(api.ask(script({"until": {"gate": "go"}, "fault": {"status": 529}})))
    await api.control("GET", "/gates/go?waiting=1&timeout=5")
    await api.control("PUT", "/gates/go")
    assert (await asking).status == 529


async def test_a_client_that_leaves_no_longer_waits(api: Api) -> None:
    asking = asyncio.create_task(api.ask(script({"until": {"gate": "go"}, "text": "x"})))
    await api.control("GET", "/gates/go?waiting=1&timeout=5")
    asking.cancel()
    await api.control("GET", "/requests?aborted=true&atleast=1&timeout=5")
    assert await api.control("GET", "/gates/go") == {"open": False, "waiting": 0}


async def test_nobody_at_the_gate_in_time_is_told(api: Api) -> None:
    async with api.http.get(f"{api.url}/_mock/gates/go?waiting=1&timeout=0") as response:
        assert response.status == 408


async def test_a_waiting_stream_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "PING_SECONDS", 0.01)
    doors, pinged = Gates(), asyncio.Event()

    async def ping() -> None:
        pinged.set()

    waiting = asyncio.create_task(doors.wait("go", ping))
    await asyncio.wait_for(pinged.wait(), 5)
    doors.open("go")
    await asyncio.wait_for(waiting, 5)


async def test_who_waits_passes_even_if_the_gate_closes_at_once() -> None:
    doors = Gates()
    waiting = asyncio.create_task(doors.wait("go"))
    assert await doors.arrived("go", 1, 5)
    doors.open("go")
    doors.close("go")
    await asyncio.wait_for(waiting, 5)
    assert doors.as_json() == {}


async def test_five_hundred_streams_are_open_at_once(api: Api) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    prompt = script({"until": {"gate": "go"}, "at": "middle", "text": "abcdefgh" * 20})
    asking = [asyncio.create_task(api.ask(prompt, session=f"s{n}")) for n in range(500)]
    await api.control("GET", "/gates/go?waiting=500&timeout=60")
    assert api.mock.recorder.total.open == 500
    await api.control("PUT", "/gates/go")
    answers = await asyncio.gather(*asking)
    assert {answer.text for answer in answers} == {"abcdefgh" * 20}
    total = (await api.control("GET", "/sessions"))["total"]
    assert (total["answered"], total["open"], total["usage"]["outputTokens"]) == (500, 0, 500 * 40)
