"""How a metric is defined: once, with everything that the reference page says of it.

There are two sorts. What happens is counted when it happens, with the library's own counters, gauges and histograms. What is the case (how many
sessions wait, what a budget has spent) is asked for at each scrape: nothing has to be kept up to date, and nothing can drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily

disable_created_metrics()  # type: ignore[no-untyped-call]  # a time series more for every counter, which nobody reads

Process = Literal["controller", "admission"]
OTHER = "other"
"""Stands for everything that has no label value of its own."""
MOST_VALUES = 200


@dataclass(frozen=True, slots=True)
class Definition:
    """What a metric is called, and what it means."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    process: Process = "controller"
    asked: bool = False
    """Asked for at each scrape."""

    def family(self, samples: Iterable[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
        """A gauge as it is at this moment: label values and value."""
        found = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in samples:
            found.add_metric(labels, value)
        return found


class Definitions:
    """The metrics of one process, and the registry of those that are counted as things happen."""

    def __init__(self, process: Process) -> None:
        self.registry = CollectorRegistry()
        self.all: list[Definition] = []
        self._process: Process = process

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        self.all.append(Definition(name, "counter", text, labels, process=self._process))
        return Counter(name, text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A gauge that is set when something happens."""
        self.all.append(Definition(name, "gauge", text, labels, process=self._process))
        return Gauge(name, text, labels, registry=self.registry)

    def histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
        """Bounds of buckets are in the unit of the name; the last one, infinity, is implied."""
        self.all.append(Definition(name, "histogram", text, labels, buckets, self._process))
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def scraped(self, name: str, text: str, *labels: str) -> Definition:
        """A gauge that is asked for at each scrape; whoever knows the answer yields its `family`."""
        self.all.append(Definition(name, "gauge", text, labels, process=self._process, asked=True))
        return self.all[-1]


class Bounded:
    """Values of a label that come from outside: so many get a name of their own, all further ones are `OTHER`."""

    def __init__(self, most: int = MOST_VALUES) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(value)
        return value


def most_frequent(counts: Mapping[tuple[str, str], int], most: int = MOST_VALUES) -> dict[tuple[str, str], int]:
    """So many of the counts as they are, the largest; the rest, whose second label value may be anything, together as `OTHER`."""
    ranked = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    found = dict(ranked[:most])
    for (first, _), count in ranked[most:]:
        found[first, OTHER] = found.get((first, OTHER), 0) + count
    return found
