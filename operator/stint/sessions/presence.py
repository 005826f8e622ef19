"""Whether Secrets and ConfigMaps exist, by ``get`` only: the operator never lists or watches Secrets, and keeps nothing of them but key names."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from stint.kube.client import KubeClient
from stint.kube.errors import NotFound
from stint.kube.resources import CONFIG_MAPS, SECRETS
from stint.sessions.observed import Presence
from stint.sessions.references import Reference

MISSING_FOR = timedelta(seconds=5)
"""How long an object is taken for missing without asking again: a thousand sessions that wait for it ask once."""


class Known(NamedTuple):
    """What the last look found: the keys of the object, None when there was no object."""

    keys: frozenset[str] | None
    until: datetime


class PresenceChecks:
    """Asks the API server once per object and time span, however many sessions want to know."""

    def __init__(self, client: KubeClient, seconds: float) -> None:
        self._client = client
        self._span = timedelta(seconds=seconds)
        self._known: dict[tuple[str, str, str], Known] = {}
        self._asking: dict[tuple[str, str, str], asyncio.Future[Known]] = {}

    async def check(self, namespace: str, references: Iterable[Reference], now: datetime) -> dict[Reference, Presence]:
        """The presence of each reference in a namespace."""
        found: dict[Reference, Presence] = {}
        for reference in references:
            keys = (await self._look((reference.kind, namespace, reference.name), now)).keys
            if keys is None:
                found[reference] = "object missing"
            else:
                found[reference] = "there" if reference.key is None or reference.key in keys else "key missing"
        return found

    async def _look(self, place: tuple[str, str, str], now: datetime) -> Known:
        known = self._known.get(place)
        if known is not None and known.until > now:
            return known
        asking = self._asking.get(place)
        if asking is None:
            asking = self._asking[place] = asyncio.ensure_future(self._ask(place, now))
            asking.add_done_callback(lambda _: self._asking.pop(place, None))
        return await asyncio.shield(asking)

    async def _ask(self, place: tuple[str, str, str], now: datetime) -> Known:
        kind, namespace, name = place
        try:
            item = await self._client.get(SECRETS if kind == "Secret" else CONFIG_MAPS, namespace, name)
            keys = frozenset({*(item.get("data") or {}), *(item.get("binaryData") or {})})
        except NotFound:
            known = self._known[place] = Known(None, now + min(self._span / 2, MISSING_FOR))
            return known
        known = self._known[place] = Known(keys, now + self._span)
        return known
