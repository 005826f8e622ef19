"""How many sessions there are of each sort, counted at each scrape from what the caches keep at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from sys import intern
from typing import Any, NamedTuple

from prometheus_client.metrics_core import Metric

from stint.engine.cache import ObjectCache
from stint.engine.conditions import moment
from stint.sessions.pod_store import PodStore
from stint.telemetry.define import most_frequent
from stint.telemetry.metrics import AGENT_PODS, SESSIONS, WAITING_OLDEST

PENDING, WAITING = "Pending", "Waiting"
HELD = (WAITING, "Stalled", "Suspended")


class Brief(NamedTuple):
    """What is counted of a session."""

    phase: str
    reason: str = ""
    """Why it is held, or why its pod does not start; else empty."""
    since: str = ""
    """Since when it waits (RFC 3339 in UTC, which sorts as it is); else empty."""


def brief(item: dict[str, Any]) -> Brief:
    """Of a session as the API server sent it."""
    status = item.get("status") or {}
    phase = intern(status.get("phase") or PENDING)
    if phase == PENDING:
        return Brief(phase, intern((status.get("waitingFor") or {}).get("reason", "")), item["metadata"].get("creationTimestamp", ""))
    if phase not in HELD:
        return Brief(phase)
    told = {condition["type"]: condition for condition in status.get("conditions") or ()}
    since = told.get("Admitted", {}).get("lastTransitionTime", "") if phase == WAITING else ""
    return Brief(phase, intern(told.get("Ready", {}).get("reason", "")), since)


class SessionGauges:
    """The gauges of sessions and their pods. One pass over each cache."""

    def __init__(self, sessions: ObjectCache, pods: PodStore, clock: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._pods = pods
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        counts: Counter[tuple[str, str]] = Counter()
        oldest: dict[str, str] = {}
        for phase, reason, since in self._sessions.briefs():
            counts[phase, reason] += 1
            if since and since < oldest.get(reason, "~"):
                oldest[reason] = since
        shown = most_frequent(counts)
        yield SESSIONS.family(shown.items())
        reasons = {reason for _, reason in shown}
        yield WAITING_OLDEST.family(((reason,), self._age(since)) for reason, since in oldest.items() if reason in reasons)
        yield AGENT_PODS.family(((phase,), count) for phase, count in self._pods.alive().items())

    def _age(self, since: str) -> float:
        begun = moment(since)
        return max(0.0, (self._clock() - begun).total_seconds()) if begun else 0.0
