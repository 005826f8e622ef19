"""What the ledger knows of a session: what its attempts used, and what is set aside for the one that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from stint.budgets.amounts import ZERO, Amounts
from stint.budgets.selection import Subject
from stint.engine.conditions import moment

OLDER = 0
"""The number under which attempts stand that are no longer in the history of the status."""
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Settled:
    """An attempt that has ended."""

    start: datetime
    end: datetime
    used: Amounts
    """Complete: no amount is None."""


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt that was admitted and has not been settled."""

    attempt: int
    start: datetime
    request: Amounts
    """What is set aside for it."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session, as far as budgets are concerned."""

    uid: str
    subject: Subject
    settled: Mapping[int, Settled] = field(default_factory=dict)
    """By number of the attempt."""
    running: Running | None = None
    """Left out, what was admitted before and is neither settled nor released stays."""


def settled_attempts(status: Mapping[str, Any]) -> dict[int, Settled]:
    """The attempts in a session's status. The total of the status may be more than its history: of attempts that have left it, and of pods that
    nobody saw. That stands under `OLDER`, before the oldest attempt of the history, or, for pods that nobody saw, at the end of the last one."""
    history = status.get("history") or ()
    found = {}
    rest = _used(status.get("usage") or {})
    for entry in history:
        used = _used(entry)
        start = moment(entry.get("start")) or moment(entry.get("end")) or EARLIEST
        found[int(entry["attempt"])] = Settled(start, moment(entry.get("end")) or start, used)
        rest = Amounts(*(max(ZERO, _sure(all_) - _sure(one)) for all_, one in zip(rest, used, strict=True)))
    if any(rest) and found:
        attempts = sorted(found)
        when = found[attempts[-1]].end if status.get("journaledPods") else found[attempts[0]].start
        found[OLDER] = Settled(when, when, rest)
    return found


def _used(counts: Mapping[str, Any]) -> Amounts:
    inputs, outputs = int(counts.get("inputTokens", 0)), int(counts.get("outputTokens", 0))
    tokens = inputs + outputs + int(counts.get("cacheReadTokens", 0)) + int(counts.get("cacheWriteTokens", 0))
    return Amounts(Decimal(counts.get("cost", "0")), Decimal(tokens), Decimal(inputs), Decimal(outputs))


def _sure(amount: Decimal | None) -> Decimal:
    return ZERO if amount is None else amount
