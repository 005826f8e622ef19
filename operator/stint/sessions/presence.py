"""Whether Secrets and ConfigMaps exist, by ``get`` only: the operator never lists or watches Secrets, and keeps nothing of them but key names."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from stint.kube.client import KubeClient
from stint.kube.errors import NotFound
from stint.kube.resources import CONFIG_MAPS, SECRETS
from stint.sessions.observed import Presence
from stint.sessions.references import Reference

MISSING_FOR = timedelta(seconds=1)
"""How long an object, or a key of it, is taken for missing without asking again: it may have been made just before the session that asks. A
thousand sessions that wait for it still ask only once in that time."""


FORGOTTEN = 2
"""With each answer so many older ones are forgotten that count no more: sessions that each have a ConfigMap of their own leave nothing behind."""


class Known(NamedTuple):
    """What the last look found: the keys of the object, None when there was no object."""

    keys: frozenset[str] | None
    asked: datetime

    def presence(self, key: str | None) -> Presence:
        if self.keys is None:
            return "object missing"
        return "there" if key is None or key in self.keys else "key missing"


class PresenceChecks:
    """Asks the API server once per object and time span, however many sessions want to know; what is missing is asked for sooner."""

    def __init__(self, client: KubeClient, seconds: float) -> None:
        self._client = client
        self._span = timedelta(seconds=seconds)
        self._known: dict[tuple[str, str, str], Known] = {}
        self._asking: dict[tuple[str, str, str], asyncio.Future[Known]] = {}

    async def check(self, namespace: str, references: Iterable[Reference], now: datetime) -> dict[Reference, Presence]:
        """The presence of each reference in a namespace."""
        found: dict[Reference, Presence] = {}
        for reference in references:
            found[reference] = await self._look((reference.kind, namespace, reference.name), reference.key, now)
        return found

    async def _look(self, place: tuple[str, str, str], key: str | None, now: datetime) -> Presence:
        known = self._known.get(place)
        if known is not None:
            presence = known.presence(key)
            if now < known.asked + (self._span if presence == "there" else min(self._span / 2, MISSING_FOR)):
                return presence
        asking = self._asking.get(place)
        if asking is None:
            asking = self._asking[place] = asyncio.ensure_future(self._ask(place, now))
            asking.add_done_callback(lambda _: self._asking.pop(place, None))
        return (await asyncio.shield(asking)).presence(key)

    async def _ask(self, place: tuple[str, str, str], now: datetime) -> Known:
        kind, namespace, name = place
        keys: frozenset[str] | None
        try:
            item = await self._client.get(SECRETS if kind == "Secret" else CONFIG_MAPS, namespace, name)
            keys = frozenset({*(item.get("data") or {}), *(item.get("binaryData") or {})})
        except NotFound:
            keys = None
        self._known.pop(place, None)
        known = self._known[place] = Known(keys, now)
        for old in list(islice(self._known, FORGOTTEN)):  # the oldest stand first
            if self._known[old].asked + self._span < now:
                del self._known[old]
        return known
