"""Who owns what a session creates."""

from __future__ import annotations

from typing import Any

from stint.api.base import API_VERSION
from stint.sessions.names import KIND
from stint.sessions.observed import Observed


def owner_reference(seen: Observed) -> dict[str, Any]:
    """The session as controller: the garbage collector removes the object after it."""
    return {"apiVersion": API_VERSION, "kind": KIND, "name": seen.name, "uid": seen.uid, "controller": True, "blockOwnerDeletion": True}
