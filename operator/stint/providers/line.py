"""Whose turn it is, once a provider lets sessions start again: by priority, then age, and not all at once. Pure.

A session stands before gates: the circuits and the windows that it has to pass. A gate is shut, or lets a number of sessions through now.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from stint.providers.scope import Credential, Scope

Gate = Scope | Credential
DOUBLING = 5.0
"""Seconds after which the pace of a gate that has opened doubles, from one session a second."""
UNLIMITED = 1 << 30


@dataclass(frozen=True, slots=True)
class Waiter:
    """An attempt that would like to start."""

    uid: str
    attempt: int
    priority: int
    created: datetime
    gates: tuple[Gate, ...]

    @property
    def rank(self) -> tuple[int, datetime, str]:
        return -self.priority, self.created, self.uid


def allowance(seconds: float) -> int:
    """How many sessions may have gone so long after a gate has opened: one at once, one a second at first, twice as many every five seconds."""
    if seconds < 0:
        return 0
    steps, rest = divmod(seconds, DOUBLING)
    if steps > 20:
        return UNLIMITED
    return 1 + math.floor(DOUBLING * (2**steps - 1) + rest * 2**steps)


def turns(waiters: Iterable[Waiter], room: Mapping[Gate, int]) -> list[Waiter]:
    """Who may go now, the first first. ``room`` is how many each gate lets through; one that is not named lets through all."""
    left = dict(room)
    going = []
    for waiter in sorted(waiters, key=lambda one: one.rank):
        if all(left.get(gate, 1) > 0 for gate in waiter.gates):
            going.append(waiter)
            for gate in waiter.gates:
                if gate in left:
                    left[gate] -= 1
    return going
