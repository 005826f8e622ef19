"""``/metrics``: what was counted, and what is the case now. Plain text or OpenMetrics, as the scraper asks."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.registry import Collector

from stint.telemetry.define import Definitions

PATH = "/metrics"


def metrics_route(metrics: Definitions, *gauges: Collector) -> web.RouteDef:
    """The route for one process. ``gauges`` are asked at each scrape, in the event loop: they have to be quick, and need no locks.

    Nothing is compressed: that would take the loop longer than the scrape itself.
    """
    registry = CollectorRegistry(support_collectors_without_names=True)
    for collector in (metrics.registry, *gauges):
        registry.register(collector)
    return web.get(PATH, make_aiohttp_handler(registry, disable_compression=True))
