"""Conditions as the Kubernetes API conventions define them, in one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Status = str  # "True", "False" or "Unknown"
TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
MESSAGE_LIMIT = 1024
"""Characters. Long messages come from others (image pulls, admission); the beginning says what matters."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What one condition should be now."""

    type: str
    status: Status
    reason: str
    message: str = ""


def merge(old: Iterable[dict[str, Any]], new: Iterable[Condition], generation: int, now: datetime) -> list[dict[str, Any]]:
    """The new list: ``lastTransitionTime`` moves only with the status, a condition nobody speaks of any more disappears."""
    before = {condition["type"]: condition for condition in old}
    merged = []
    for condition in new:
        was = before.get(condition.type)
        same = was is not None and was.get("status") == condition.status
        merged.append(
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message[:MESSAGE_LIMIT],
                "observedGeneration": generation,
                "lastTransitionTime": was["lastTransitionTime"] if was is not None and same else timestamp(now),
            }
        )
    return merged


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as Kubernetes writes it."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def moment(text: str | None) -> datetime | None:
    """The time in an RFC 3339 text, None for none."""
    return None if not text else datetime.fromisoformat(text)
