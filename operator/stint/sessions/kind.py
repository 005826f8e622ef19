"""AgentSession for the engine: look it up, decide."""

from __future__ import annotations

from datetime import datetime

from stint.api.base import API_VERSION
from stint.engine.act import Target
from stint.engine.controller import Look
from stint.engine.keys import Key
from stint.engine.plan import Plan, Refusal
from stint.engine.waiters import Waiters
from stint.sessions.expiry import SESSIONS
from stint.sessions.names import KIND
from stint.sessions.observe import World, observe
from stint.sessions.observed import Observed
from stint.sessions.plan import plan


def awaited(seen: Observed, decided: Plan) -> set[tuple[str, str]]:
    """What may let a session start that does not start now: its profile, its provider, the session it continues."""
    status = seen.status if decided.status is None else decided.status
    if seen.pod is not None or status.get("completionTime") or seen.spec is None:
        return set()
    profile, source = seen.spec.profile_ref, seen.spec.continue_from
    found = {("AgentProfile", profile.name)} if profile else set()
    found |= {(KIND, source.name)} if source else set()
    return found | ({("ModelProvider", seen.resolved.provider)} if seen.resolved else set())


class Sessions:
    """What the controller does with a session's key."""

    name = KIND

    def __init__(self, world: World, waiters: Waiters) -> None:
        self._world = world
        self._waiters = waiters

    async def look(self, key: Key, now: datetime, refusal: Refusal | None) -> Look | None:
        """Observe and plan; remembers what the session waits for, so that it is looked at again when that changes."""
        seen = await observe(self._world, key, now, refusal)
        if seen is None:
            self._waiters.forget(key)
            return None
        if not self._world.sessions.is_current(seen.item):
            return None  # it changed while we looked around, and that change has put it in line again
        decided = plan(seen)
        self._waiters.wait(key, awaited(seen, decided))
        return Look(Target(SESSIONS, KIND, API_VERSION, seen.item), decided)

    def vanished(self, key: Key, uid: str) -> None:
        """Forget it."""
        self._world.sessions.discard(key, uid)
        self._world.pods.forget_session(uid)
