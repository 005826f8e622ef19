"""What an AgentProfile's status says: that it can be read, and a hash to compare it with another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from stint.engine.conditions import FALSE, TRUE, Condition, merge
from stint.engine.plan import Plan

KIND = "AgentProfile"
USABLE = "Usable"
INVALID_SPEC = "InvalidSpec"


@dataclass(frozen=True, slots=True)
class Observed:
    """A profile; ``invalid`` is empty when its spec can be read."""

    now: datetime
    generation: int
    status: dict[str, Any]
    spec: dict[str, Any]
    invalid: str


def plan(seen: Observed) -> Plan:
    """The whole status."""
    return Plan(
        status={
            "observedGeneration": seen.generation,
            "contentHash": content_hash(seen.spec),
            "conditions": merge(seen.status.get("conditions") or (), _conditions(seen), seen.generation, seen.now),
        }
    )


def content_hash(spec: dict[str, Any]) -> str:
    """SHA-256 over the spec's JSON with sorted keys."""
    return hashlib.sha256(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _conditions(seen: Observed) -> Iterator[Condition]:
    good = not seen.invalid
    reason = USABLE if good else INVALID_SPEC
    yield Condition("Ready", TRUE if good else FALSE, reason, seen.invalid)
    yield Condition("Reconciling", FALSE, reason)
    yield Condition("Stalled", FALSE if good else TRUE, reason, seen.invalid)
