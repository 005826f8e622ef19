"""Requests at fixed moments, in a process of its own: ``python -m perf.admission_load``, an `Order` as JSON on stdin, milliseconds as JSON on stdout.

The clock of a request runs from the moment at which it was to be sent, so that a server that falls behind cannot hide it.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from perf.api import Api
from perf.manifests import COLLECTIONS, Json, manifest

SESSIONS = COLLECTIONS["AgentSession"]
Send = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Order:
    """So many requests at so many a second."""

    what: str
    """``create``: sessions, at the API server. ``review``: both questions that it would ask about one, straight to the webhook."""
    count: int
    rate: float
    prefix: str
    teams: int
    port: int = 0
    authorities: str = ""
    server_name: str = ""


def session(order: Order, number: int) -> Json:
    """A session of one of the teams."""
    item = manifest("AgentSession", f"{order.prefix}-{number:05}")
    item["metadata"]["namespace"] = f"team-{number % order.teams}"
    return item


async def paced(count: int, rate: float, send: Send) -> list[float]:
    """Send at fixed moments; milliseconds of each."""
    found = [0.0] * count
    begin = time.monotonic() + 0.5

    async def one(number: int, due: float) -> None:
        await send(number)
        found[number] = 1000 * (time.monotonic() - due)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(one(number, due))
    return found


async def create(order: Order) -> list[float]:
    api = Api(Path(os.environ["KUBECONFIG"]), 64)
    bodies = [orjson.dumps(session(order, number)) for number in range(order.count)]

    async def send(number: int) -> None:
        await api.post(SESSIONS.format(namespace=f"team-{number % order.teams}"), bodies[number])

    async with api.session:
        return await paced(order.count, order.rate, send)


async def review(order: Order) -> list[float]:
    context = ssl.create_default_context(cadata=order.authorities)
    bodies = [question(session(order, number), number) for number in range(order.count)]
    connector = aiohttp.TCPConnector(ssl=context, limit=64)
    async with aiohttp.ClientSession(f"https://127.0.0.1:{order.port}", connector=connector) as http:

        async def send(number: int) -> None:
            for handler in ("created-by", "agentsession"):
                async with http.post(f"/{handler}", data=bodies[number], server_hostname=order.server_name) as response:
                    answer = orjson.loads(await response.read())
                    assert answer["response"]["allowed"], answer

        return await paced(order.count, order.rate, send)


def question(item: Json, number: int) -> bytes:
    """An AdmissionReview as the API server sends it."""
    stamp = {"stint.dev/created-by": f"user-{number % 500}", "stint.dev/created-by-groups": "devs\nsystem:authenticated"}
    request: dict[str, Any] = {
        "uid": f"review-{number}",
        "kind": {"group": "stint.dev", "version": "v1alpha1", "kind": "AgentSession"},
        "resource": {"group": "stint.dev", "version": "v1alpha1", "resource": "agentsessions"},
        "name": item["metadata"]["name"],
        "namespace": item["metadata"]["namespace"],
        "operation": "CREATE",
        "userInfo": {"username": f"user-{number % 500}", "groups": ["devs", "system:authenticated"]},
        "object": {**item, "metadata": {**item["metadata"], "annotations": stamp}},
        "oldObject": None,
        "dryRun": False,
    }
    return orjson.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})


async def main() -> None:
    order = Order(**orjson.loads(sys.stdin.buffer.read()))
    found = await (review(order) if order.what == "review" else create(order))
    sys.stdout.buffer.write(orjson.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
