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


async def release_all() -> int:
    """Remove Stint's finalizers from every session; those of others stay. 0, or 1 when some could not be released."""
    client = KubeClient()
    context = await login(client, kopf.OperatorSettings())
    try:
        released, failed = await release(client)
    except NotFound:
        released, failed = 0, 0  # the kind itself is gone
    finally:
        client.close()
        await context.aiohttp_session.close()
    print(f"released {released} sessions, {failed} could not be released", file=sys.stderr)
    return 1 if failed else 0


async def release(client: KubeClient) -> tuple[int, int]:
    """How many sessions were released, and how many could not be. Raises `Unreachable` when the API server does not answer."""
    released = failed = 0
    async for items, _ in client.pages(SESSIONS):
        for item in items:
            meta = item["metadata"]
            before = meta.get("finalizers") or []
            after = [name for name in before if not name.startswith(FINALIZER_PREFIX)]
            if after == before:
                continue
            body = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": after}}
            try:
                await client.patch(SESSIONS, meta["namespace"], meta["name"], body)
                released += 1
            except NotFound:
                continue  # it has gone by itself
            except (ApiError, Unreachable) as failure:
                failed += 1
                log.warning("%s/%s keeps its finalizer: %s", meta["namespace"], meta["name"], failure)
    return released, failed
