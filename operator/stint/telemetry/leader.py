"""Which of the controllers decides, and what only that one tells."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from stint.telemetry.metrics import LEADER

_leads = False


def set_leader(leads: bool) -> None:
    """Call it when this process begins to decide, and when it no longer does."""
    global _leads
    _leads = leads
    LEADER.set(1 if leads else 0)


class WhileLeading:
    """Gauges of what is in the cluster and what is to be done: told by the one that decides, so that nobody who sums them up counts anything twice,
    and no alarm is raised by the queue of one that stands by."""

    def __init__(self, *gauges: Collector) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for gauge in self._gauges if _leads else ():
            yield from gauge.collect()
