"""What has come to pass of a plan for a session: counted, and told in the log.

It is told when the API server has confirmed a write of ours, by comparing the status with the one before: so a new start counts nothing again, and
what another process decided is counted there. Of a write whose answer is lost nobody can say whether it took place; it is not counted.

The log has one line for a decision: an attempt begins, it is settled, the session is held for another reason than before, or it is finished. There
are names and reasons in it, never messages: those may quote the agent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from stint.engine.conditions import moment
from stint.gateway.price_list import SHIPPED
from stint.gateway.prices import priced_as
from stint.kube.resources import PODS, Resource
from stint.sessions.census import brief
from stint.sessions.consumed import consumed
from stint.sessions.observed import Observed
from stint.sessions.reports import Usage
from stint.telemetry.define import OTHER, Bounded
from stint.telemetry.metrics import ATTEMPTS, ATTEMPTS_ESTIMATED, COST, DURATION, FINISHED, START, TOKENS

log = logging.getLogger(__name__)

KINDS_OF_TOKENS = {"input": "inputTokens", "output": "outputTokens", "cache_read": "cacheReadTokens", "cache_write": "cacheWriteTokens"}
MODELS_KEPT = 1024

_providers, _models, _reasons = Bounded(), Bounded(), Bounded()


class SessionNews:
    """A `Witness` of one plan."""

    def __init__(self, seen: Observed) -> None:
        self._seen = seen

    def created(self, resource: Resource, item: dict[str, Any]) -> None:
        if resource != PODS:
            return
        seen, attempt = self._seen, self._seen.settled + 1
        created = moment(seen.metadata.get("creationTimestamp"))
        if attempt == 1 and created is not None:
            START.labels("pod").observe(max(0.0, (seen.now - created).total_seconds()))
        self._tell("start", attempt, "")

    def written(self, status: Mapping[str, Any]) -> None:
        before = self._seen.status
        self._count_start(before, status)
        settled = [attempt for attempt in status.get("history") or () if attempt["attempt"] > self._seen.settled]
        for attempt in settled:
            ATTEMPTS.labels(attempt["outcome"], _reasons(attempt["reason"])).inc()
            if attempt.get("estimated"):
                ATTEMPTS_ESTIMATED.inc()
        self._count_usage(before, status)
        ended = status.get("completionTime")
        if ended and (settled or ended != before.get("completionTime")):
            self._finished(status)
        elif settled:
            self._tell("retry" if status.get("nextRetryTime") else "settle", status["attempt"], settled[-1]["reason"])
        else:
            self._held(before, status)

    def _count_start(self, before: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        if "startTime" in before or "startTime" not in status:
            return
        created, started = moment(self._seen.metadata.get("creationTimestamp")), moment(status["startTime"])
        if created is not None and started is not None:
            START.labels("running").observe(max(0.0, (started - created).total_seconds()))

    def _count_usage(self, before: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        grown = consumed(before, status, self._name_of)
        for name, usage in grown.items():
            _count(self._provider, name, usage)

    def _finished(self, status: Mapping[str, Any]) -> None:
        outcome, reason = status["phase"], _ready_reason(status)
        FINISHED.labels(outcome, _reasons(reason)).inc()
        DURATION.labels(outcome).observe(status.get("activeSeconds", 0))
        self._tell("finish", status.get("attempt", 0), reason)

    def _held(self, before: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        now, was = brief({"status": status, "metadata": {}}), brief({"status": before, "metadata": {}})
        if now.reason and (now.phase, now.reason) != (was.phase, was.reason):
            self._tell("hold", status.get("attempt", 0), now.reason)

    def _tell(self, decision: str, attempt: int, reason: str) -> None:
        named = {"namespace": self._seen.namespace, "session": self._seen.name, "attempt": attempt, "decision": decision, "reason": reason}
        log.info("session %s/%s: %s", self._seen.namespace, self._seen.name, decision, extra=named)

    @cached_property
    def _provider(self) -> str:
        provider = self._seen.provider
        return OTHER if provider is None else _providers(f"{provider.namespace}/{provider.name}")

    def _name_of(self, model: str) -> str:
        """The agent may ask for any model; only those that have a price have a name here."""
        provider = self._seen.provider
        found = _priced_as(model, tuple(price.model for price in provider.spec.prices) if provider else ())
        return OTHER if found is None else _models(found)


@lru_cache(maxsize=MODELS_KEPT)
def _priced_as(model: str, own: tuple[str, ...]) -> str | None:
    return priced_as(model, {*own, *SHIPPED})


def _count(provider: str, model: str, usage: Usage) -> None:
    for kind, field in KINDS_OF_TOKENS.items():
        tokens = getattr(usage, field)
        if tokens:
            TOKENS.labels(provider, model, kind).inc(tokens)
    if usage.cost:
        COST.labels(provider, model).inc(float(usage.cost))


def _ready_reason(status: Mapping[str, Any]) -> str:
    return next((str(condition["reason"]) for condition in status.get("conditions") or () if condition["type"] == "Ready"), "")
