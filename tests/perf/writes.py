"""Counts who wrote what, in the API server's own audit log."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LATE = 2.0
"""Seconds. The log is written in batches, a second late; nothing tells when one is complete."""

Writes = Counter[str]
"""How often, by ``verb resource/subresource``."""


class AuditLog:
    """The log from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        time.sleep(LATE)
        self._start = path.stat().st_size

    def lines(self) -> list[str]:
        """Everything since this object was made."""
        time.sleep(LATE)
        with self._path.open("rb") as file:
            file.seek(self._start)
            return file.read().decode().splitlines()


def count(lines: list[str], user: str) -> Writes:
    """Writes of one user in lines of the log; what the API server refused counts as well, and is shown by its code."""
    return Counter(write for write, _ in _writes(lines, user))


def before_last(lines: list[str], user: str, last: str) -> Writes:
    """What this user wrote before the last of its writes of one sort: what stood in line with them."""
    found = sorted(_writes(lines, user), key=lambda one: one[1])
    end = max((number for number, (write, _) in enumerate(found) if write == last), default=0)
    return Counter(write for write, _ in found[:end])


def _writes(lines: list[str], user: str) -> Iterator[tuple[str, str]]:
    """What was written and when."""
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # the last line may not be complete
        if entry["user"]["username"] != user:
            continue
        place = entry.get("objectRef", {})
        if place.get("resource") == "leases":
            continue  # a leader renews its Lease by the time that passes, not by the work it does
        code = entry.get("responseStatus", {}).get("code", 200)
        refused = f" ({code})" if code >= 400 else ""
        target = "/".join(part for part in (place.get("resource"), place.get("subresource")) if part)
        yield f"{entry['verb']} {target}{refused}", entry.get("requestReceivedTimestamp", "")
