"""Keeps the certificate of the webhook, for as long as this process leads.

::

    Secret missing, foreign, expired, or due ──▶ new pair into the Secret ──▶ its authority, and the former one, into every caBundle
                                                        │                                     │
    replica: reads the Secret ◀─────────────────────────┘     serves with it once every caBundle trusts it ◀──┘

Each step is taken from what the cluster shows, so one that was cut off is taken again at the next look.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from stint.certificates.decide import outdated, renewal
from stint.certificates.pair import Serving, make
from stint.certificates.secret import (
    CONFIGURATION,
    CONFIGURATIONS,
    SECRET,
    bundle_operations,
    bundles,
    read_secret,
    secret_data,
    secret_manifest,
    server_names,
)
from stint.engine import act as engine
from stint.engine.controller import Clock
from stint.engine.plan import Manifest
from stint.kube.errors import ApiError, Conflict, NotFound, Unreachable
from stint.kube.resources import SECRETS, Resource

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds


class Client(engine.Client, Protocol):
    """What is needed of a client besides what every plan needs."""

    async def patch_json(self, resource: Resource, namespace: str, name: str, operations: list[Manifest]) -> Manifest: ...


async def keep_certificate(client: Client, namespace: str, clock: Clock) -> None:
    """Look after Secret and webhook configurations until cancelled."""
    while True:
        try:
            await look_after(client, namespace, clock)
        except Conflict:
            log.info("the webhook's Secret or configuration was changed meanwhile; looking again in %.0f s", LOOK_EVERY)
        except (ApiError, Unreachable) as failure:
            log.warning("looking after the webhook's certificate: %s; trying again in %.0f s", failure, LOOK_EVERY)
        await asyncio.sleep(LOOK_EVERY)


async def look_after(client: Client, namespace: str, clock: Clock) -> None:
    """Put right what is not as it should be. Raises `Conflict` when somebody else was faster."""
    serving = await _good_pair(client, namespace, clock)
    for resource in CONFIGURATIONS:
        found = await _find(client, resource, "", CONFIGURATION)
        if found is not None and outdated(bundles(found), serving.authorities):
            await client.patch_json(resource, "", CONFIGURATION, bundle_operations(found, serving.authorities))
            log.info("%s %s: caBundle written", resource.plural, CONFIGURATION)


async def _good_pair(client: Client, namespace: str, clock: Clock) -> Serving:
    found = await _find(client, SECRETS, namespace, SECRET)
    serving, now = (read_secret(found) if found else None), clock()
    needed = renewal(serving, server_names(namespace), now)
    if needed is None:
        assert serving is not None
        return serving
    fresh = make(server_names(namespace), now, needed.former)
    if found is None:
        await client.create(SECRETS, namespace, secret_manifest(namespace, fresh))
    else:
        version = found["metadata"]["resourceVersion"]
        await client.patch(SECRETS, namespace, SECRET, {"metadata": {"resourceVersion": version}, "data": secret_data(fresh)})
    log.info("Secret %s/%s: a new certificate, because of the one before: %s", namespace, SECRET, needed.why)
    return fresh


async def _find(client: Client, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
    try:
        return await client.get(resource, namespace, name)
    except NotFound:
        return None
