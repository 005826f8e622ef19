"""What the sessions that are there remember of their providers: read once, when a controller starts.

Most say nothing of failures, and where there are none, successes need not be read either.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from stint.engine.keys import Key
from stint.providers.circuit import Outcome
from stint.providers.passage import Passage
from stint.sessions.observe import World, in_caches
from stint.sessions.passage import told_by_history

FAILURE = b'"providerError"'


def remembered(world: World, now: datetime) -> Iterator[tuple[Passage, Outcome]]:
    """What settled attempts have said."""
    if not any(FAILURE in held.text for key in world.sessions if (held := world.sessions.held(key.namespace, key.name))):
        return
    for key in world.sessions:
        seen = in_caches(world, key, now)
        if seen is not None:
            yield from told_by_history(seen)


def unsettled(world: World, now: datetime) -> set[tuple[str, int]]:
    """Uid and number of attempts that may be under way: their end is in no history yet."""
    found = set()
    for key in world.sessions:
        seen = in_caches(world, Key(*key), now)
        if seen is not None and not (seen.finished and not seen.begins_again):
            found.add((seen.uid, seen.settled + 1))
    return found
