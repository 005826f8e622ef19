"""What one write of a status adds to the usage of a session, by model.

The gateways' reports say which model used what. Usage that a later gateway found in the journal of the volume has no model any more; it counts as
`OTHER`. What was only guessed for a lost report is left out, until a journal tells the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from stint.sessions.reports import Usage, read_usage
from stint.sessions.usage import minus, plus, used
from stint.telemetry.define import OTHER

Status = Mapping[str, Any]
NONE = Usage()


def consumed(before: Status, after: Status, name_of: Callable[[str], str]) -> dict[str, Usage]:
    """Usage by the name that ``name_of`` gives to a model. What has become less (a guess that was put right) counts as nothing."""
    if after.get("usage") == before.get("usage"):
        return {}
    known = _by_model(before, name_of)
    grown = {name: minus(usage, known[name]) if name in known else usage for name, usage in _by_model(after, name_of).items()}
    if _nothing_guessed(before) and _nothing_guessed(after) and before.get("journaledPods") == after.get("journaledPods"):
        return grown  # the ordinary case
    attributed = reduce(plus, grown.values(), NONE)
    earlier = {attempt["attempt"]: attempt for attempt in before.get("history") or ()}
    guessed, corrected = NONE, NONE
    for attempt in after.get("history") or ():
        was = earlier.get(attempt["attempt"])
        if was is None and attempt.get("estimated"):
            guessed = plus(guessed, minus(read_usage(attempt), attributed))
        elif was is not None and was.get("estimated") and not attempt.get("estimated"):
            corrected = plus(corrected, read_usage(was))
    rest = minus(minus(minus(plus(used(after), corrected), used(before)), attributed), guessed)
    if rest.tokens or rest.cost:
        grown[OTHER] = plus(grown.get(OTHER, NONE), rest)
    return grown


def _nothing_guessed(status: Status) -> bool:
    return not any(attempt.get("estimated") for attempt in status.get("history") or ())


def _by_model(status: Status, name_of: Callable[[str], str]) -> dict[str, Usage]:
    found: dict[str, Usage] = {}
    for one in (status.get("usage") or {}).get("byModel") or ():
        name = name_of(one["model"])
        usage = read_usage(one)
        found[name] = plus(found[name], usage) if name in found else usage
    return found
