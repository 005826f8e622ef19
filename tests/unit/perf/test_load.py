"""The load generator must tell the truth about when what happened: it runs here against a small server that plays the API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from perf.api import Api, Refused
from perf.load_generator import Load
from perf.manifests import COLLECTIONS, NAMESPACE, Kind
from perf.scenario import Record, Scenario

PODS = COLLECTIONS["Pod"].format(namespace=NAMESPACE)


class Server:
    """Makes a pod for every object, a little later, and ends it after a few questions."""

    def __init__(self) -> None:
        self.created: list[str] = []
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.unfinished = 2
        self.refuse = False

    def application(self, kind: Kind) -> web.Application:
        app = web.Application()
        app.router.add_get(PODS, self.pods)
        app.router.add_post(COLLECTIONS[kind].format(namespace=NAMESPACE), self.create)
        if kind != "Pod":
            app.router.add_get(COLLECTIONS[kind].format(namespace=NAMESPACE), self.left)
        return app

    async def create(self, request: web.Request) -> web.Response:
        if self.refuse:
            return web.json_response({"message": "no"}, status=422)
        item = await request.json()
        name = item["metadata"]["name"]
        self.created.append(name)
        owner = {} if item["kind"] == "Pod" else {"ownerReferences": [{"name": name}]}
        pod = {"metadata": {"name": name if not owner else f"{name}-1", "resourceVersion": str(len(self.created)), **owner}}
        for kind in ("ADDED", "MODIFIED"):
            self.events.put_nowait({"type": kind, "object": pod})
        return web.json_response(item, status=201)

    async def pods(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": "0"}, "items": []})
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            line = orjson.dumps(await self.events.get()) + b"\n"
            await response.write(line[:10])  # a line may come in pieces
            await response.write(line[10:])

    async def left(self, request: web.Request) -> web.Response:
        self.unfinished -= 1
        return web.json_response({"items": [{}] if self.unfinished > 0 else []})


@pytest.fixture
def server() -> Server:
    return Server()


@asynccontextmanager
async def serve(server: Server, kind: Kind) -> AsyncIterator[Api]:
    runner = web.AppRunner(server.application(kind), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api = Api.__new__(Api)
    api.session = aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        yield api
    finally:
        await api.session.close()
        await runner.cleanup()


async def record_of(server: Server, scenario: Scenario) -> Record:
    async with serve(server, scenario.kind) as api:
        load = Load(api, scenario)
        await load.run()
        return load.record


@pytest.mark.parametrize("kind", ["AgentSession", "Job", "Pod"])
async def test_every_object_gets_its_moments_in_order(server: Server, kind: Kind, capfd: pytest.CaptureFixture[str]) -> None:
    record = await record_of(server, Scenario(kind, 20, "x", in_flight=4, until_done=kind != "Pod", seconds=10))
    assert sorted(server.created) == [f"x-{number:05}" for number in range(20)]
    assert record.missing == 0
    assert record.errors == []
    assert len(record.posts) == 20
    assert all(sent <= answered for sent, answered in zip(record.sent, record.answered, strict=True))
    assert all(sent <= seen for sent, seen in zip(record.sent, record.pods, strict=True))
    assert (record.done is not None) == (kind != "Pod")
    events = [orjson.loads(text)["event"] for text in capfd.readouterr().out.splitlines()]
    assert events == (["begin", "pods"] if kind == "Pod" else ["begin", "pods", "done"])


async def test_a_rate_is_kept_whatever_the_answers_take(server: Server) -> None:
    record = await record_of(server, Scenario("AgentSession", 10, "x", rate=50, seconds=10))
    gaps = [later - earlier for earlier, later in zip(record.sent, record.sent[1:], strict=False)]
    assert sum(gaps) >= 9 / 50 - 0.01


async def test_refusals_and_missing_pods_are_told(server: Server) -> None:
    server.refuse = True
    record = await record_of(server, Scenario("AgentSession", 3, "x", seconds=0.3))
    assert record.missing == 3
    assert any("422" in error for error in record.errors)
    assert record.errors[-1].startswith("gave up after")
    assert record.posts == []


async def test_a_refusal_names_the_request(server: Server) -> None:
    server.refuse = True
    async with serve(server, "AgentSession") as api:
        with pytest.raises(Refused, match=r"POST .*agentsessions: 422"):
            await api.post(COLLECTIONS["AgentSession"].format(namespace=NAMESPACE), b"{}")


def test_a_record_counts_from_the_first_post_to_the_last_pod() -> None:
    record = Record([1.0, 2.0, 3.0], [1.5, 2.5, 0.0], [3.0, 6.0, 0.0])
    assert record.window == 5.0
    assert record.rate == 2 / 5.0
    assert record.missing == 1
    assert record.starts == [1.5, 3.5]
    assert record.posts == [0.5, 0.5]
