"""Rate-limit windows of a credential, as the provider tells of them in the headers of its answers. Pure.

Allowed: there is room. Warning: the provider warns. Rejected: it refuses requests until the window is reset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, cast

from stint.providers.scope import Credential

WindowStatus = Literal["Allowed", "Warning", "Rejected"]
STATUSES = ("Allowed", "Warning", "Rejected")
LONGEST = timedelta(days=31)
"""No window of a provider is longer; what claims to be is not believed."""
STEP = 5
"""Percentage points of utilisation that are worth a write."""


@dataclass(frozen=True, slots=True)
class Window:
    """``utilization`` in percent; ``seen`` is when the answer came that told of it."""

    name: str
    status: WindowStatus
    utilization: int | None
    resets_at: datetime | None
    seen: datetime

    def over(self, now: datetime) -> bool:
        """It was reset since."""
        return self.resets_at is not None and self.resets_at <= now

    def rejects(self, now: datetime) -> bool:
        return self.status == "Rejected" and self.resets_at is not None and now < self.resets_at <= now + LONGEST

    def warns(self, now: datetime) -> bool:
        return self.status == "Warning" and not self.over(now)


Key = tuple[Credential, str]
Windows = Mapping[Key, Window]


def merged(known: Windows, credential: Credential, fresh: Iterable[Window]) -> dict[Key, Window]:
    """What is known after these: of two that tell of the same window the newer counts; of the same second, the worse."""
    found = dict(known)
    for window in fresh:
        before = found.get((credential, window.name))
        if before is None or (before.seen, STATUSES.index(before.status)) <= (window.seen, STATUSES.index(window.status)):
            found[credential, window.name] = window
    return found


def current(known: Windows, now: datetime) -> dict[Key, Window]:
    """With those that were reset since, as they are then: there is room."""
    if not any(window.status != "Allowed" and window.over(now) for window in known.values()):
        return dict(known)
    return {key: replace(one, status="Allowed", utilization=0, resets_at=None) if one.over(now) else one for key, one in known.items()}


def urgent_first(known: Windows) -> list[tuple[Key, Window]]:
    """The worst first, of those the fullest."""
    return sorted(known.items(), key=lambda pair: (-STATUSES.index(pair[1].status), -(pair[1].utilization or 0), pair[0]))


def rejected_until(known: Windows, credential: Credential, now: datetime) -> tuple[datetime, str] | None:
    """When the last window that refuses this credential is reset, and its name."""
    found = [(window.resets_at, window.name) for (whose, _), window in known.items() if whose == credential and window.rejects(now)]
    return cast(tuple[datetime, str], max(found)) if found else None


def warned(known: Windows, credential: Credential, now: datetime) -> bool:
    return any(whose == credential and window.warns(now) for (whose, _), window in known.items())


def differs(published: Windows, known: Windows) -> bool:
    """Whether it is worth a write: a window has come or gone, its status is another, it is reset at another time, or much fuller."""
    return published.keys() != known.keys() or any(_moved(published[key], window) for key, window in known.items())


def _moved(before: Window, now: Window) -> bool:
    if before.status != now.status or (before.utilization is None) != (now.utilization is None):
        return True
    if now.status == "Rejected" and before.resets_at != now.resets_at:
        return True
    return abs((before.utilization or 0) - (now.utilization or 0)) >= STEP
