"""When the next attempt starts. Whether there is one is in the table of `stint.sessions.failures`.

The jitter follows from the session's uid and the attempt, so that the same session always gets the same answer (a plan is pure), while a thousand
sessions that failed together do not come back together.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from stint.sessions.ending import Ending
from stint.sessions.failures import policy
from stint.sessions.resolve import Resolved

MOST_DISRUPTIONS = 20
"""Pods that the cluster may take away before the session fails: they are nobody's fault, but each may have cost money."""
JITTER = 0.2
LONGEST_WINDOW = timedelta(days=31)
"""No window of a provider is longer; what claims to be is not believed."""
LONGEST_ADVICE = timedelta(hours=1)
"""A `retry-after` that is further away is not waited for."""
AFTER_RESET = 30.0
"""Seconds over which sessions come back after a rate-limit window is reset."""


def retried(ending: Ending) -> bool:
    return policy(ending.reason).retried


def retry_at(ending: Ending, failures: int, resolved: Resolved, uid: str, attempt: int, now: datetime) -> datetime:
    """When the next attempt starts: exponential backoff with jitter, but not before the moment that the provider has named.

    ``failures`` counts from 1 (the failure just seen).
    """
    row = policy(ending.reason)
    delay = min(resolved.backoff_max, resolved.backoff_initial * row.patience * resolved.backoff_factor ** (failures - 1))
    share = _fraction(uid, attempt)
    when = now + timedelta(seconds=delay * (1 + JITTER * share))
    if row.heeds and ending.retry_after is not None:
        when = max(when, min(ending.retry_after, now + LONGEST_ADVICE) + timedelta(seconds=JITTER * delay * share))
    if ending.resets_at is not None and ending.resets_at > now:
        when = max(when, min(ending.resets_at, now + LONGEST_WINDOW) + timedelta(seconds=AFTER_RESET * share))
    return when


def _fraction(uid: str, attempt: int) -> float:
    """A number in [0, 1) that depends on session and attempt only."""
    digest = hashlib.sha256(f"{uid}/{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
