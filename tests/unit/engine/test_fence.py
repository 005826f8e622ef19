"""Nothing passes the fence that changes anything, unless we lead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stint.engine.controller import Controller, Look
from stint.engine.fence import FencedClient
from stint.engine.keys import Key
from stint.engine.leadership import LeadershipLost
from stint.engine.plan import Plan, Refusal
from stint.engine.queue import WorkQueue
from stint.kube.client import KubeClient
from stint.kube.pool import Pool
from unit.engine.kit import THINGS, Notes, ScriptedClient, key, target, thing
from unit.kube.rawserver import Line, raw_server

WRITES: dict[str, Callable[[FencedClient], Awaitable[Any]]] = {
    "create": lambda client: client.create(THINGS, "team-a", thing()),
    "status": lambda client: client.write_status(THINGS, "team-a", "fix", version="1", uid="u-1", status={"x": 1}),
    "patch": lambda client: client.patch(THINGS, "team-a", "fix", {"x": 1}),
    "delete": lambda client: client.delete(THINGS, "team-a", "fix", uid="u-1", grace_seconds=3),
}
BODIES = {"create": thing(), "status": {"version": "1", "uid": "u-1", "status": {"x": 1}}, "patch": {"x": 1}, "delete": {"uid": "u-1", "grace_seconds": 3}}


def closed() -> None:
    raise LeadershipLost("not any more")


@pytest.mark.parametrize("verb", WRITES)
async def test_a_write_passes_while_we_lead_and_not_afterwards(verb: str) -> None:
    client = ScriptedClient()
    await WRITES[verb](FencedClient(client, lambda: None))
    assert (client.asked, client.bodies) == ([(verb, "fix")], [BODIES[verb]])
    with pytest.raises(LeadershipLost):
        await WRITES[verb](FencedClient(client, closed))
    assert len(client.asked) == 1


async def test_reading_is_free() -> None:
    client = ScriptedClient()
    assert await FencedClient(client, closed).get(THINGS, "team-a", "fix") == client.there


async def test_a_worker_that_meets_the_fence_ends_and_does_not_take_it_for_a_bug() -> None:
    class Things:
        name = "AgentSession"

        async def look(self, key: Key, now: object, refusal: Refusal | None) -> Look:
            return Look(target(), Plan(status={"phase": "Running"}))

        def vanished(self, key: Key, uid: str) -> None: ...

    client = ScriptedClient()
    controller = Controller(FencedClient(client, closed), WorkQueue(), Notes(), [Things()])
    with pytest.raises(LeadershipLost):
        await controller.reconcile(key())
    assert client.asked == []


async def test_a_write_that_has_waited_for_a_connection_is_not_sent_when_we_lead_no_more() -> None:
    # given a write that waits until another request has its answer
    asked, arrived, go, leads = [], asyncio.Event(), asyncio.Event(), [True]

    async def slow(line: Line) -> None:
        while True:
            asked.append((await line.request()).split(b" ")[0])
            arrived.set()
            await go.wait()
            line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def check() -> None:
        if not leads[0]:
            closed()

    async with raw_server(slow) as server, asyncio.timeout(10):
        client = KubeClient(Pool(server.url, limit=1))
        reads = asyncio.create_task(client.get(THINGS, "team-a", "fix"))
        await arrived.wait()
        writes = asyncio.create_task(FencedClient(client, check).create(THINGS, "team-a", thing()))
        await asyncio.sleep(0)
        # when
        leads[0] = False
        go.set()
        await reads
        # then
        with pytest.raises(LeadershipLost):
            await writes
        assert await client.get(THINGS, "team-a", "fix") == {}, "reading goes on"
        assert asked == [b"GET", b"GET"]
        client.close()
