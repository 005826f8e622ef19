"""Circuits and rate-limit windows of providers, told by whoever keeps them.

``provider`` is ``namespace/name`` of the ModelProvider, ``credential`` ``namespace/name`` of the Secret; empty where a circuit is not for one model,
or not for one credential. At most `MOST` circuits and as many windows are shown; what is forgotten makes room.
"""

from __future__ import annotations

from enum import IntEnum

from prometheus_client import Gauge

from stint.telemetry.define import Bounded
from stint.telemetry.metrics import CIRCUIT_STATE, CIRCUIT_TRANSITIONS, WINDOW_UTILIZATION

MOST = 500


class CircuitState(IntEnum):
    """The values of ``stint_circuit_state``."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class _Shown:
    """The children of a gauge, not too many of them."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._known: set[tuple[str, ...]] = set()

    def set(self, labels: tuple[str, ...], value: float) -> None:
        if labels not in self._known:
            if len(self._known) >= MOST:
                return
            self._known.add(labels)
        self._gauge.labels(*labels).set(value)

    def forget(self, labels: tuple[str, ...]) -> None:
        if labels in self._known:
            self._known.discard(labels)
            self._gauge.remove(*labels)


_circuits = _Shown(CIRCUIT_STATE)
_windows = _Shown(WINDOW_UTILIZATION)
_providers = Bounded()


def set_circuit(provider: str, model: str, credential: str, state: CircuitState) -> None:
    """The state of a circuit as it is: at the start, and after each change."""
    _circuits.set((provider, model, credential), state)


def circuit_changed(provider: str, model: str, credential: str, state: CircuitState) -> None:
    """A circuit has changed to this state, and that is written down: call it once for each change."""
    set_circuit(provider, model, credential, state)
    CIRCUIT_TRANSITIONS.labels(_providers(provider), state.name.lower()).inc()


def forget_circuit(provider: str, model: str, credential: str) -> None:
    """The circuit, or its provider, is there no more."""
    _circuits.forget((provider, model, credential))


def set_window(provider: str, credential: str, window: str, utilization: float) -> None:
    """How much of a window is used, from 0 to 1; ``window`` as the provider calls it, such as ``five_hour``."""
    _windows.set((provider, credential, window), utilization)


def forget_window(provider: str, credential: str, window: str) -> None:
    """The window is over, or its provider is there no more."""
    _windows.forget((provider, credential, window))
