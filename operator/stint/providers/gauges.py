"""The metrics of providers: circuits and windows as they are at each scrape, and a count of the changes of circuits.

``provider`` is ``namespace/name`` of the ModelProvider, ``credential`` ``namespace/name`` of the Secret; empty where a circuit is not for one model,
or not for one credential.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from prometheus_client.metrics_core import Metric

from stint.engine.keys import Key
from stint.kube.resources import Resource
from stint.providers.changes import transitions
from stint.providers.circuit import State
from stint.providers.scope import WHOLE, Scope
from stint.providers.traffic import Traffic
from stint.providers.window import current
from stint.telemetry.define import Bounded
from stint.telemetry.metrics import CIRCUIT_STATE, CIRCUIT_TRANSITIONS, WINDOW_UTILIZATION

MOST = 500
"""Circuits, and as many windows."""
VALUES: dict[State, int] = {"Closed": 0, "HalfOpen": 1, "Open": 2}
_providers = Bounded()

Sample = tuple[tuple[str, ...], float]


class ProviderGauges:
    """Asked of the traffic at each scrape."""

    def __init__(self, traffic: Traffic, clock: Callable[[], datetime]) -> None:
        self._traffic = traffic
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        yield CIRCUIT_STATE.family(islice(self._circuits(), MOST))
        yield WINDOW_UTILIZATION.family(islice(self._windows(), MOST))

    def _circuits(self) -> Iterator[Sample]:
        """That of the provider as a whole is always told; of the others, those that know of a failure."""
        for key, road in self._traffic.roads():
            if WHOLE not in road.circuits:
                yield _labels(key, WHOLE), VALUES["Closed"]
            for scope, circuit in road.circuits.items():
                yield _labels(key, scope), VALUES[circuit.state]

    def _windows(self) -> Iterator[Sample]:
        now = self._clock()
        for key, road in self._traffic.roads():
            for (credential, name), window in current(road.windows, now).items():
                if window.utilization is not None:
                    yield (_name(key), "/".join(credential), name), window.utilization / 100


class ProviderNews:
    """A `Witness` of one plan: counts the circuits that have another state than before, once we have written it. It is compared with what the plan
    was made from, because a watch may be quicker than the answer to our own write."""

    def __init__(self, key: Key, before: Mapping[str, Any]) -> None:
        self._key = key
        self._before = before

    def written(self, status: Mapping[str, Any]) -> None:
        for state in transitions(self._before, status):
            CIRCUIT_TRANSITIONS.labels(_providers(_name(self._key)), state).inc()

    def created(self, resource: Resource, item: dict[str, Any]) -> None: ...


def _labels(key: Key, scope: Scope) -> tuple[str, str, str]:
    return _name(key), scope.model, f"{scope.namespace}/{scope.secret}" if scope.secret else ""


def _name(key: Key) -> str:
    return f"{key.namespace}/{key.name}"
