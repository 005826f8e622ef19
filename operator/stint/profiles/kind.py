"""AgentProfile for the engine: look it up, decide."""

from __future__ import annotations

from datetime import datetime

from stint.api.base import API_VERSION, InvalidObject
from stint.api.profile import AgentProfile
from stint.engine.act import Target
from stint.engine.cache import ObjectCache
from stint.engine.controller import Look
from stint.engine.keys import Key
from stint.engine.plan import Refusal
from stint.kube.resources import Resource
from stint.profiles.plan import KIND, Observed, plan

PROFILES = Resource("stint.dev", "v1alpha1", "agentprofiles")


class Profiles:
    """What the controller does with a profile's key."""

    name = KIND

    def __init__(self, cache: ObjectCache) -> None:
        self._cache = cache

    async def look(self, key: Key, now: datetime, refusal: Refusal | None) -> Look | None:
        """Observe and plan."""
        item = self._cache.get(key.namespace, key.name)
        if item is None or "deletionTimestamp" in item["metadata"]:
            return None
        invalid = ""
        try:
            AgentProfile.read(item)
        except InvalidObject as problem:
            invalid = str(problem)
        seen = Observed(now, item["metadata"].get("generation", 0), item.get("status") or {}, item.get("spec") or {}, invalid)
        return Look(Target(PROFILES, KIND, API_VERSION, item), plan(seen))

    def vanished(self, key: Key, uid: str) -> None:
        """Forget it."""
        self._cache.discard(key, uid)
