"""The gauges of the queue, asked of it at each scrape."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from stint.engine.queue import WorkQueue
from stint.telemetry.metrics import QUEUE_DEPTH, QUEUE_OLDEST


class QueueGauges:
    """How many objects wait to be looked at, and for how long."""

    def __init__(self, queue: WorkQueue) -> None:
        self._queue = queue

    def collect(self) -> Iterator[Metric]:
        second = self._queue.bookkeeping
        yield QUEUE_DEPTH.family([(("first",), len(self._queue) - second), (("bookkeeping",), second)])
        yield QUEUE_OLDEST.family([((), self._queue.oldest())])
