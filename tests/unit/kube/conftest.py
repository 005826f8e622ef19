"""A server on the loopback interface, and a client that talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from stint.kube.client import KubeClient
from stint.kube.pool import Pool
from unit.kube.kit import Server, serving


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The controller runs on uvloop, whose transports and TLS are others than asyncio's; without uvloop it must work as well."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[KubeClient]:
    client = KubeClient(Pool(server.url + "/", limit=10))
    yield client
    client.close()
