"""``stint release-finalizers``: the chart's last act, so that uninstalling never leaves a namespace hanging.

Once the operator is gone nobody settles sessions any more; a finalizer that waits for that would wait for ever.
"""

from __future__ import annotations

import logging
import sys

import kopf

from stint.kube.client import KubeClient
from stint.kube.errors import ApiError, NotFound, Unreachable
from stint.kube.login import login
from stint.sessions.expiry import SESSIONS

log = logging.getLogger(__name__)

FINALIZER_PREFIX = "stint.dev/"


async def release_all() -> None:
    """Remove Stint's finalizers from every session; those of others stay."""
    client = KubeClient()
    context = await login(client, kopf.OperatorSettings())
    try:
        count = await release(client)
    except NotFound:
        count = 0  # the kind itself is gone
    finally:
        await context.aiohttp_session.close()
    print(f"released {count} sessions", file=sys.stderr)


async def release(client: KubeClient) -> int:
    """How many sessions were released. Raises `Unreachable` when the API server does not answer."""
    count = 0
    async for items, _ in client.list(SESSIONS):
        for item in items:
            meta = item["metadata"]
            before = meta.get("finalizers") or []
            after = [name for name in before if not name.startswith(FINALIZER_PREFIX)]
            if after == before:
                continue
            body = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": after}}
            try:
                await client.patch(SESSIONS, meta["namespace"], meta["name"], body)
                count += 1
            except (ApiError, Unreachable) as failure:
                log.warning("%s/%s keeps its finalizer: %s", meta["namespace"], meta["name"], failure)
    return count
