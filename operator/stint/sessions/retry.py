"""Which failures are worth another attempt, and when.

The jitter follows from the session's uid and the attempt, so that the same session always gets the same answer (a plan is pure), while a thousand
sessions that failed together do not come back together.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from stint.sessions.ending import Ending
from stint.sessions.resolve import Resolved

RETRIED = frozenset(
    {
        "RateLimited", "Overloaded", "ServerError", "ProviderUnreachable", "AgentCrashed", "ToolsUnavailable", "CloneFailed", "ContinueFailed",
        "OutputInvalid", "StartTimeout",
    }
)  # fmt: skip
"""Classes that another attempt can cure. All others need a person: a wrong key, model, prompt or limit is as wrong the second time."""
MOST_DISRUPTIONS = 20
"""Pods that the cluster may take away before the session fails: they are nobody's fault, but each may have cost money."""
JITTER = 0.2
LONGEST_WINDOW = timedelta(days=31)
"""No window of a provider is longer; what claims to be is not believed."""
AFTER_RESET = 30.0
"""Seconds over which sessions come back after a rate-limit window is reset."""


def retried(ending: Ending) -> bool:
    return ending.reason in RETRIED


def retry_at(ending: Ending, failures: int, resolved: Resolved, uid: str, attempt: int, now: datetime) -> datetime:
    """When the next attempt starts: exponential backoff with jitter, but not before the provider's window is reset.

    ``failures`` counts from 1 (the failure just seen).
    """
    delay = min(resolved.backoff_max, resolved.backoff_initial * resolved.backoff_factor ** (failures - 1))
    share = _fraction(uid, attempt)
    when = now + timedelta(seconds=delay * (1 + JITTER * share))
    if ending.resets_at is not None and ending.resets_at > now:
        when = max(when, min(ending.resets_at, now + LONGEST_WINDOW) + timedelta(seconds=AFTER_RESET * share))
    return when


def _fraction(uid: str, attempt: int) -> float:
    """A number in [0, 1) that depends on session and attempt only."""
    digest = hashlib.sha256(f"{uid}/{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
