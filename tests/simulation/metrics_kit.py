"""What tests ask of metrics: how much one has grown since, and what a scrape says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.registry import Collector

from stint.telemetry import metrics

Series = tuple[str, frozenset[tuple[str, str]]]


def scraped(collector: Collector) -> dict[Series, float]:
    """Every sample by name and labels."""
    return {(sample.name, frozenset(sample.labels.items())): sample.value for metric in collector.collect() for sample in metric.samples}


def series(name: str, **labels: str) -> Series:
    return name, frozenset(labels.items())


class Grown:
    """The counters of a process, from now on: they are shared by all tests."""

    def __init__(self, process: Any = metrics.controller) -> None:
        self._registry = process.registry
        self._before = scraped(self._registry)

    def __call__(self, name: str, **labels: str) -> float:
        """By how much one time series has grown."""
        wanted = series(name, **labels)
        return scraped(self._registry).get(wanted, 0.0) - self._before.get(wanted, 0.0)

    def all(self, name: str) -> dict[tuple[str, ...], float]:
        """Every time series of a metric that has grown, by its label values in the order of the labels' names."""
        return dict(self._all(name))

    def _all(self, name: str) -> Iterator[tuple[tuple[str, ...], float]]:
        for (each, labels), value in scraped(self._registry).items():
            more = value - self._before.get((each, labels), 0.0)
            if each == name and more:
                yield tuple(text for _, text in sorted(labels)), more
