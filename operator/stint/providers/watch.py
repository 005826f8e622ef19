"""What the controller asks by itself, every five seconds and only where a decision depends on it: live reports of gateways, and endpoints.

A report: of the attempt that tries an open circuit, and of some attempts of a credential whose window warns. An endpoint: where `breaker.probe` is
`Endpoint`, when its circuit is half-open; without credential, without following redirects, without reading the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import httpx

from stint.engine.keys import Key
from stint.providers.circuit import GOOD
from stint.providers.passage import Passage
from stint.providers.traffic import Traffic

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds
PATIENCE = 4.0
"""Seconds for a report, and for an endpoint to answer; altogether: who sends a byte now and then must not keep the others waiting."""
MOST_BYTES = 16 << 10
"""A report has 4 KiB; the port is the gateway's own, but the pod is the agent's. For the same reason nothing is unpacked that comes packed."""
PLAIN = {"Accept-Encoding": "identity"}


class Reader(Protocol):
    """What the session side makes of a report: its windows, and what it says about the provider, are told to the traffic."""

    def address(self, passage: Passage) -> str:
        """Where its report is; empty if it is not known."""

    def heard(self, passage: Passage, text: str, now: datetime) -> None:
        """Its report, as it is now."""


class Watch:
    """Runs until it is cancelled."""

    def __init__(self, traffic: Traffic, reader: Reader, clock: Callable[[], datetime], endpoint: Callable[[Key], str]) -> None:
        self._traffic = traffic
        self._reader = reader
        self._clock = clock
        self._endpoint = endpoint

    async def run(self) -> None:
        timeout = httpx.Timeout(PATIENCE)
        async with httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False) as client:
            while True:
                await self._traffic.wanted.wait()
                await asyncio.sleep(EVERY)
                await self.look(client)

    async def look(self, client: httpx.AsyncClient) -> None:
        """Once, all at the same time."""
        now = self._clock()
        passages, endpoints = self._traffic.to_ask(now), self._traffic.endpoints_to_ask(now)
        if not passages and not endpoints:
            self._traffic.wanted.clear()
        await asyncio.gather(*(self._report(client, passage) for passage in passages), *(self._try(client, key) for key in endpoints))

    async def _report(self, client: httpx.AsyncClient, passage: Passage) -> None:
        address = self._reader.address(passage)
        if not address:
            return
        try:
            async with asyncio.timeout(PATIENCE), client.stream("GET", address, headers=PLAIN) as answer:
                text = b""
                async for chunk in answer.aiter_raw():
                    text += chunk
                    if len(text) > MOST_BYTES:
                        return
        except (httpx.HTTPError, TimeoutError) as problem:
            log.info("%s: no live report: %s", passage.key, type(problem).__name__)
            return
        if answer.status_code == 200:
            self._reader.heard(passage, text.decode(errors="replace"), self._clock())

    async def _try(self, client: httpx.AsyncClient, key: Key) -> None:
        self._traffic.endpoint_answered(key, await self.probe(client, self._endpoint(key)))

    async def probe(self, client: httpx.AsyncClient, url: str) -> str:
        """What the endpoint says about the provider: any answer below 500 shows that it lives, a refusal for want of a credential too."""
        with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            async with asyncio.timeout(PATIENCE), client.stream("GET", url) as answer:
                return verdict(answer.status_code)
        return "ProviderUnreachable"


def verdict(status: int) -> str:
    """What an HTTP status says. Pure."""
    if status == 529:
        return "Overloaded"
    return "ServerError" if status >= 500 else GOOD
