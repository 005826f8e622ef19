"""A provider and gateways on loopback ports of the kernel's choice, stopped at the end of each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from unit.gateway.kit import Running, Upstream, config, events, settings_in, start, stream

StartGateway = Callable[..., Awaitable[Running]]


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    provider = Upstream(answer=events(*stream()))
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", provider.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield provider
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


@pytest.fixture
async def start_gateway(tmp_path: Path, upstream: Upstream, client: aiohttp.ClientSession) -> AsyncIterator[StartGateway]:
    """Start a gateway: `auth` and `base_url` are the provider's, `at` changes its settings, all else changes `gateway.json`."""
    started: list[Running] = []

    async def begin(auth: str = "APIKey", base_url: str | None = None, at: dict[str, Any] | None = None, **changes: Any) -> Running:
        provider = {"name": "default", "baseURL": base_url or upstream.url, "auth": auth}
        running = await start(settings_in(tmp_path, **(at or {})), config(provider=provider, **changes), client)
        started.append(running)
        return running

    yield begin
    for running in started:
        await running.stop()


@pytest.fixture
async def gateway(start_gateway: StartGateway) -> Running:
    return await start_gateway()
