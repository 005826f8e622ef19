"""Carries a plan out, the same way for every kind.

Creations are create-only with names that follow from the object, so doing them twice does nothing: 409 is success if the object that is there has
our object as its controller. Every answer is fed back into the caches before the next look, so a watch that lags never causes a second action.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stint.engine.conditions import timestamp
from stint.engine.merge_patch import difference
from stint.engine.plan import NAME_TAKEN, NAMESPACE_TERMINATING, Create, Delete, EventRecord, Plan, Refusal
from stint.kube.client import KubeClient
from stint.kube.errors import ApiError, Conflict, NotFound, Refused
from stint.kube.resources import EVENTS, Resource

log = logging.getLogger(__name__)

Feed = Callable[[Resource, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Target:
    """The object whose plan it is: its resource type and the version that the plan was made from."""

    resource: Resource
    kind: str
    api_version: str
    item: dict[str, Any]

    @property
    def meta(self) -> dict[str, Any]:
        meta: dict[str, Any] = self.item["metadata"]
        return meta


async def act(client: KubeClient, plan: Plan, target: Target, feed: Feed) -> Refusal | None:
    """Do everything in the plan. Returns why the API server would not have one of our objects, if so.

    Raises `Conflict` when the status has changed meanwhile (look again), `Unreachable` and `ApiError` as the client does.
    """
    await _write_status(client, plan, target, feed)
    for deletion in plan.delete:
        await _delete(client, deletion)
    refusal = None
    for creation in plan.create:
        refusal = await _create(client, creation, target, feed)
        if refusal is not None:
            break
    for event in plan.events:
        await _post_event(client, event, target)
    return refusal


async def _write_status(client: KubeClient, plan: Plan, target: Target, feed: Feed) -> None:
    if plan.status is None:
        return
    patch = difference(target.item.get("status") or {}, plan.status)
    if not patch:
        return
    meta = target.meta
    body = {"metadata": {"resourceVersion": meta["resourceVersion"], "uid": meta["uid"]}, "status": patch}
    try:
        written = await client.patch_status(target.resource, meta["namespace"], meta["name"], body)
    except NotFound:
        return  # deleted meanwhile: there is nobody left to tell
    feed(target.resource, written)


async def _delete(client: KubeClient, deletion: Delete) -> None:
    try:
        await client.delete(deletion.resource, deletion.namespace, deletion.name, uid=deletion.uid, grace_seconds=deletion.grace_seconds)
    except NotFound:
        pass
    except Conflict:
        log.info("%s %s/%s is another object by now; left alone", deletion.resource.plural, deletion.namespace, deletion.name)


async def _create(client: KubeClient, creation: Create, target: Target, feed: Feed) -> Refusal | None:
    manifest = creation.manifest
    meta = manifest["metadata"]
    try:
        created = await client.create(creation.resource, meta["namespace"], manifest)
    except Conflict:
        if creation.shared:
            await client.patch(creation.resource, meta["namespace"], meta["name"], {"spec": manifest["spec"]})
            feed(creation.resource, manifest)
            return None
        return await _adopt(client, creation, target, feed)
    except NotFound as gone:  # the namespace is not there any more
        return Refusal(manifest["kind"], meta["name"], NAMESPACE_TERMINATING, gone.message)
    except Refused as no:
        causes = no.details.get("causes") or ()
        ending = any(cause.get("reason") == NAMESPACE_TERMINATING for cause in causes)
        return Refusal(manifest["kind"], meta["name"], NAMESPACE_TERMINATING if ending else no.reason, no.message)
    feed(creation.resource, manifest if creation.shared else created)
    return None


async def _adopt(client: KubeClient, creation: Create, target: Target, feed: Feed) -> Refusal | None:
    """An object of this name is there: ours from before a crash, or somebody else's."""
    meta = creation.manifest["metadata"]
    there = await client.get(creation.resource, meta["namespace"], meta["name"])
    owner = meta.get("annotations", {}).get("stint.dev/owner-uid") or target.meta["uid"]
    if owner in owners(there):
        feed(creation.resource, there)
        return None
    kind = creation.manifest["kind"]
    return Refusal(kind, meta["name"], NAME_TAKEN, f"a {kind} named {meta['name']} exists and belongs to something else")


def owners(item: dict[str, Any]) -> set[str]:
    """The uid of the controller of an object, and of the session that a retained volume remembers."""
    meta = item["metadata"]
    uids = {reference["uid"] for reference in meta.get("ownerReferences", ()) if reference.get("controller")}
    remembered = (meta.get("annotations") or {}).get("stint.dev/owner-uid")
    return uids | {remembered} if remembered else uids


async def _post_event(client: KubeClient, event: EventRecord, target: Target) -> None:
    """Events are news, not state: one that cannot be written is not worth a second try."""
    meta = target.meta
    now = timestamp(datetime.now(UTC))
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{meta['name']}.", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": target.api_version, "kind": target.kind, "namespace": meta["namespace"],
            "name": meta["name"], "uid": meta["uid"], "resourceVersion": meta["resourceVersion"],
        },
        "reason": event.reason,
        "message": event.message[:1024],
        "type": "Warning" if event.warning else "Normal",
        "source": {"component": "stint"},
        "reportingComponent": "stint.dev/controller",
        "reportingInstance": "",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
    try:
        await client.create(EVENTS, meta["namespace"], body)
    except ApiError as no:
        log.info("no Event %s on %s/%s: %s", event.reason, meta["namespace"], meta["name"], no)
