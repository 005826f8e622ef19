"""ModelProvider for the engine: look it up, decide."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from stint.api.base import API_VERSION, InvalidObject
from stint.api.provider import ModelProvider
from stint.engine.act import Target
from stint.engine.cache import ObjectCache
from stint.engine.controller import Look
from stint.engine.keys import Key
from stint.engine.plan import Refusal
from stint.kube.resources import Resource
from stint.providers.gauges import ProviderNews
from stint.providers.plan import KIND, Observed, plan
from stint.providers.status import read_windows, write_circuits, write_windows
from stint.providers.traffic import Traffic
from stint.providers.window import differs
from stint.sessions.observed import Presence
from stint.sessions.presence import PresenceChecks
from stint.sessions.references import Reference
from stint.settings import Settings

PROVIDERS = Resource("stint.dev", "v1alpha1", "modelproviders")
WINDOWS_EVERY = timedelta(seconds=5)
"""Windows are written so often at most; circuits at once."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Providers:
    """What the controller does with a provider's key."""

    name = KIND

    def __init__(self, cache: ObjectCache, presence: PresenceChecks, settings: Settings, traffic: Traffic) -> None:
        self._cache = cache
        self._traffic = traffic
        self._written: dict[str, datetime] = {}
        """When windows were written last, by the provider's uid."""
        self._presence = presence
        self._settings = settings

    async def look(self, key: Key, now: datetime, refusal: Refusal | None) -> Look | None:
        """Observe and plan."""
        item = self._cache.get(key.namespace, key.name)
        if item is None:
            return None
        spec, invalid = None, ""
        presence: Presence = "object missing"
        try:
            spec = ModelProvider.read(item).spec
            secret = spec.credential.secret_ref
            presence = await self._secret(key.namespace, Reference("Secret", secret.name, secret.key), now)
        except InvalidObject as problem:
            invalid = str(problem)
        seen = Observed(
            now=now, namespace=key.namespace, generation=item["metadata"].get("generation", 0), status=item.get("status") or {}, spec=spec,
            invalid=invalid, shared=key.namespace == self._settings.system_namespace, presence=presence,
            recheck_seconds=self._settings.reference_recheck_seconds, **self._roadworks(key, item, now),
        )  # fmt: skip
        return Look(Target(PROVIDERS, KIND, API_VERSION, item), plan(seen), ProviderNews(key, seen.status))

    def _roadworks(self, key: Key, item: dict[str, Any], now: datetime) -> dict[str, Any]:
        """Circuits and windows, for the status, and when to look at them again."""
        old = item.get("status") or {}
        road = self._traffic.tick(key, now)
        if road is None:
            return {"circuits": tuple(old.get("circuits") or ()), "windows": tuple(old.get("windows") or ())}
        road.changed = False
        again, windows = road.next_moment(now), tuple(old.get("windows") or ())
        road.published = read_windows(old)
        if differs(road.published, road.windows):
            due = self._written.get(item["metadata"]["uid"], LONG_AGO) + WINDOWS_EVERY
            if now >= due or due > now + WINDOWS_EVERY:  # the second: the clock was set back
                road.published, windows = road.windows, tuple(write_windows(road.windows))
                self._written[item["metadata"]["uid"]] = now
            else:
                again = min(again or due, due)
        road.next_look = again
        return {"circuits": tuple(write_circuits(road.circuits, road.breaker, now)), "windows": windows, "next_moment": again}

    def vanished(self, key: Key, uid: str) -> None:
        """Forget it."""
        self._cache.discard(key, uid)
        self._written.pop(uid, None)
        self._traffic.provider_gone(key)

    async def _secret(self, namespace: str, reference: Reference, now: datetime) -> Presence:
        return (await self._presence.check(namespace, [reference], now))[reference]
