"""What the controller asks by itself: live reports, and endpoints."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from datetime import datetime

import httpx
import pytest

from stint.providers.passage import Passage
from stint.providers.watch import MOST_BYTES, Watch, verdict
from unit.kube.rawserver import Line, raw_server
from unit.providers.kit import NOW, Crossing, passage

Handler = Callable[[httpx.Request], httpx.Response]


class Reader:
    """Keeps what it was told."""

    def __init__(self, address: str = "http://10.0.0.9:8788/report") -> None:
        self.told: list[tuple[str, str]] = []
        self._address = address

    def address(self, passage: Passage) -> str:
        return self._address

    def heard(self, passage: Passage, text: str, now: datetime) -> None:
        self.told.append((passage.uid, text))


async def look(crossing: Crossing, answer: Handler, reader: Reader | None = None) -> list[tuple[str, str]]:
    reader = reader or Reader()
    watch = Watch(crossing.traffic, reader, lambda: crossing.now, lambda key: "https://api.example")

    def streamed(request: httpx.Request) -> httpx.Response:
        given = answer(request)
        return httpx.Response(given.status_code, stream=httpx.ByteStream(given.content)) if given.is_stream_consumed else given

    async with httpx.AsyncClient(transport=httpx.MockTransport(streamed)) as client:
        await watch.look(client)
    return reader.told


def warned() -> Crossing:
    crossing = Crossing()
    crossing.traffic.runs(passage("r"))
    crossing.window("Warning", 3600)
    return crossing


async def test_the_report_of_an_attempt_on_which_something_depends_is_read() -> None:
    assert await look(warned(), lambda request: httpx.Response(200, text=str(request.url))) == [("r", "http://10.0.0.9:8788/report")]


def refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route")


@pytest.mark.parametrize(
    "answer",
    [lambda request: httpx.Response(503), lambda request: httpx.Response(200, content=b"x" * (MOST_BYTES + 1)), refuse],
    ids=["not ready", "too much", "nobody there"],
)
async def test_a_report_that_cannot_be_read_says_nothing(answer: Handler) -> None:
    assert await look(warned(), answer) == []


async def test_a_pod_without_an_address_is_not_asked() -> None:
    assert await look(warned(), refuse, Reader("")) == []


async def test_with_nobody_to_ask_it_rests_until_something_changes() -> None:
    crossing = warned()
    await look(crossing, lambda request: httpx.Response(200))
    assert crossing.traffic.wanted.is_set()
    crossing.traffic.ended(passage("r"), NOW)
    await look(crossing, refuse)
    assert not crossing.traffic.wanted.is_set()


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (lambda request: httpx.Response(404), "Closed"),
        (lambda request: httpx.Response(401), "Closed"),
        (lambda request: httpx.Response(301, headers={"location": "https://elsewhere"}), "Closed"),
        (lambda request: httpx.Response(529), "Open"),
        (refuse, "Open"),
    ],
    ids=["another path", "no credential", "elsewhere", "overloaded", "nobody there"],
)
async def test_an_endpoint_that_answers_at_all_lives(answer: Handler, state: str) -> None:
    crossing = Crossing({"failures": 2, "probe": "Endpoint", "openFor": {"initial": "30s"}})
    crossing.open()
    crossing.later(30)
    asked = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, str(request.url), request.headers.get("authorization"), request.headers.get("x-api-key")))
        return answer(request)

    await look(crossing, handler)
    assert asked == [("GET", "https://api.example", None, None)]
    assert {scope.kind: one.state for scope, one in crossing.road.circuits.items()}["Provider"] == state


@pytest.mark.parametrize(("status", "kind"), [(200, "Good"), (403, "Good"), (500, "ServerError"), (503, "ServerError"), (529, "Overloaded")])
def test_what_a_status_says(status: int, kind: str) -> None:
    assert verdict(status) == kind


async def test_it_waits_until_there_is_something_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    crossing = Crossing()
    looked = asyncio.Event()
    watch = Watch(crossing.traffic, Reader(), lambda: NOW, lambda key: "")

    async def note(_: httpx.AsyncClient) -> None:
        looked.set()
        crossing.traffic.wanted.clear()

    monkeypatch.setattr(watch, "look", note)
    monkeypatch.setattr("stint.providers.watch.EVERY", 0.0)
    running = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    assert not looked.is_set()
    crossing.traffic.wanted.set()
    await asyncio.wait_for(looked.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_nothing_is_unpacked_that_comes_packed() -> None:
    packed = gzip.compress(b"x" * (1 << 24), 1)[:MOST_BYTES]
    [(_, text)] = await look(warned(), lambda request: httpx.Response(200, stream=httpx.ByteStream(packed), headers={"Content-Encoding": "gzip"}))
    assert len(text) <= MOST_BYTES


@pytest.mark.parametrize("answers", [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"HTTP/1.1 200 OK\r\n"], ids=["body", "head"])
async def test_who_sends_a_byte_now_and_then_keeps_nobody_waiting(answers: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stint.providers.watch.PATIENCE", 0.2)

    async def drip(line: Line) -> None:
        await line.request()
        line.say(answers)
        while True:
            line.say(b"x")
            await asyncio.sleep(0.05)

    crossing = warned()
    crossing.open()
    async with raw_server(drip) as server, httpx.AsyncClient(timeout=0.2) as client, asyncio.timeout(5):
        watch = Watch(crossing.traffic, Reader(server.url), lambda: crossing.now, lambda key: server.url)
        await watch.look(client)
        assert await watch.probe(client, server.url) in ("Good", "ProviderUnreachable")
