"""The certificate that a replica serves with: read from its Secret, exchanged without a restart.

Read through the API and not mounted: a mounted Secret reaches a pod up to a minute and a half after it has changed. A new certificate is taken only
when every `caBundle` trusts it; until then the old one is served, as long as it is good. A replica is ready when the API server will believe it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from pathlib import Path

from stint.certificates.pair import Serving, problem, trusted
from stint.certificates.secret import CONFIGURATION, CONFIGURATIONS, SECRET, bundles, read_secret, server_names
from stint.engine.controller import Clock
from stint.kube.client import KubeClient
from stint.kube.errors import ApiError, NotFound, Unreachable
from stint.kube.resources import SECRETS

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds
UNSERVED_LOOK_EVERY = 1.0
"""The same while the replica is not ready."""


class Certificate:
    """Looks after `context`, which the server uses for every new connection."""

    def __init__(self, client: KubeClient, namespace: str, clock: Clock) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._client = client
        self._namespace = namespace
        self._names = server_names(namespace)
        self._clock = clock
        self._served: Serving | None = None
        self._bundles: tuple[bytes, ...] = ()

    @property
    def problem(self) -> str:
        """Why the API server would not believe this replica; empty when it will."""
        if self._served is None:
            return f"there is no certificate in Secret {SECRET} yet"
        wrong = problem(self._served, self._names, self._clock())
        if wrong:
            return f"the certificate in Secret {SECRET} cannot be used: {wrong}"
        return "" if self._is_trusted(self._served) else f"caBundle of the webhook configurations {CONFIGURATION} does not hold our authority yet"

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except (ApiError, Unreachable) as failure:
                log.warning("looking for the webhook's certificate: %s", failure)
            await asyncio.sleep(UNSERVED_LOOK_EVERY if self.problem else LOOK_EVERY)

    async def look(self) -> None:
        """Take over what has changed."""
        found = [bundle for resource in CONFIGURATIONS for bundle in bundles(await self._client.get(resource, "", CONFIGURATION))]
        self._bundles = tuple(found)
        try:
            fresh = read_secret(await self._client.get(SECRETS, self._namespace, SECRET))
        except NotFound:
            return
        now = self._clock()
        if fresh == self._served or problem(fresh, self._names, now):
            return
        still_good = self._served is not None and not problem(self._served, self._names, now)
        if self._is_trusted(fresh) or not still_good:
            self._serve(fresh)

    def _is_trusted(self, serving: Serving) -> bool:
        return bool(self._bundles) and all(trusted(serving, bundle) for bundle in self._bundles)

    def _serve(self, serving: Serving) -> None:
        """OpenSSL reads files only; they are gone again at once."""
        with tempfile.TemporaryDirectory() as folder:
            chain, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
            chain.write_bytes(serving.certificate)
            key.touch(mode=0o600)
            key.write_bytes(serving.key)
            self.context.load_cert_chain(chain, key)
        self._served = serving
        log.info("serving with a new certificate")
