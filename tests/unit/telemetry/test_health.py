"""What the probes are answered, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from prometheus_client.metrics_core import Metric

from stint.telemetry.define import Definitions
from stint.telemetry.exposition import metrics_route
from stint.telemetry.health import STUCK_AFTER, Health


@dataclass
class Controller:
    """As much of it as the probes look at."""

    ready: bool = True
    waiting: int = 0
    idle: float = 0.0
    overdue: bool = False
    url: str = ""

    async def probe(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as response:
            return response.status, await response.text()


@pytest.fixture
async def controller(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Controller]:
    controller = Controller()
    now = 10_000.0

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now

    monkeypatch.setattr("stint.telemetry.health.time", Clock)
    runner = await Health(lambda: controller.ready, lambda: controller.waiting, lambda: now - controller.idle, lambda: controller.overdue).start(0)
    controller.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield controller
    await runner.cleanup()


async def test_ready_is_told_by_status_and_word(controller: Controller) -> None:
    assert await controller.probe("/readyz") == (200, "ready\n")
    controller.ready = False
    assert await controller.probe("/readyz") == (503, "the caches are not filled yet\n")


@pytest.mark.parametrize(
    ("waiting", "idle", "status"),
    [(0, 0, 200), (0, 100 * STUCK_AFTER, 200), (5, STUCK_AFTER, 200), (5, STUCK_AFTER + 1, 500), (1, STUCK_AFTER + 1, 500)],
    ids=["idle", "long idle", "slow", "stuck", "stuck with one"],
)
async def test_alive_is_that_somebody_is_served_while_anybody_waits(controller: Controller, waiting: int, idle: float, status: int) -> None:
    controller.waiting, controller.idle = waiting, idle
    assert await controller.probe("/healthz") == (status, f"{waiting} objects in line, last progress {idle:.0f} s ago\n")


async def test_a_leader_that_should_have_ended_is_not_alive(controller: Controller) -> None:
    controller.overdue = True
    assert await controller.probe("/healthz") == (500, "the Lease was not renewed in time\n")


async def test_there_is_nothing_else_to_see(controller: Controller) -> None:
    assert (await controller.probe("/metrics"))[0] == 404


@pytest.mark.parametrize(
    ("accept", "content", "last"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8", "stint_gauge 1.0"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores", "# EOF"),
    ],
)
async def test_metrics_are_served_beside_the_probes_in_the_format_that_is_asked_for(accept: str, content: str, last: str) -> None:
    counted = Definitions("controller")
    counted.counter("stint_things_total", "Things.").inc()
    gauge = Definitions("controller").scraped("stint_gauge", "A gauge.")

    class Gauges:
        def collect(self) -> list[Metric]:
            return [gauge.family([((), 1)])]

    runner = await Health(lambda: True, lambda: 0, lambda: 0.0, lambda: False, more=[metrics_route(counted, Gauges())]).start(0)
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url, headers={"Accept": accept, "Accept-Encoding": "gzip"}) as response:
            text = await response.text()
            assert (response.status, response.headers["Content-Type"]) == (200, content)
            assert "Content-Encoding" not in response.headers
    finally:
        await runner.cleanup()
    assert "# HELP stint_gauge A gauge." in text
    assert "stint_things_total 1.0" in text
    assert text.splitlines()[-1] == last
