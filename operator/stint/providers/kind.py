"""ModelProvider for the engine: look it up, decide."""

from __future__ import annotations

from datetime import datetime

from stint.api.base import API_VERSION, InvalidObject
from stint.api.provider import ModelProvider
from stint.engine.act import Target
from stint.engine.cache import ObjectCache
from stint.engine.controller import Look
from stint.engine.keys import Key
from stint.engine.plan import Refusal
from stint.kube.resources import Resource
from stint.providers.plan import KIND, Observed, plan
from stint.sessions.observed import Presence
from stint.sessions.presence import PresenceChecks
from stint.sessions.references import Reference
from stint.settings import Settings

PROVIDERS = Resource("stint.dev", "v1alpha1", "modelproviders")


class Providers:
    """What the controller does with a provider's key."""

    name = KIND

    def __init__(self, cache: ObjectCache, presence: PresenceChecks, settings: Settings) -> None:
        self._cache = cache
        self._presence = presence
        self._settings = settings

    async def look(self, key: Key, now: datetime, refusal: Refusal | None) -> Look | None:
        """Observe and plan."""
        item = self._cache.get(key.namespace, key.name)
        if item is None or "deletionTimestamp" in item["metadata"]:
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
            recheck_seconds=self._settings.reference_recheck_seconds,
        )  # fmt: skip
        return Look(Target(PROVIDERS, KIND, API_VERSION, item), plan(seen))

    def vanished(self, key: Key, uid: str) -> None:
        """Forget it."""
        self._cache.discard(key, uid)

    async def _secret(self, namespace: str, reference: Reference, now: datetime) -> Presence:
        return (await self._presence.check(namespace, [reference], now))[reference]
