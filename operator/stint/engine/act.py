"""Carries a plan out, the same way for every kind.

Creations are create-only with names that follow from the object, so doing them twice does nothing: 409 is success if the object that is there has
our object as its controller. Every answer is fed back into the caches before the next look, so a watch that lags never causes a second action.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from stint.engine.conditions import timestamp
from stint.engine.plan import NAME_TAKEN, NAMESPACE_TERMINATING, Create, Delete, EventRecord, Manifest, Plan, Refusal
from stint.kube.errors import ApiError, Conflict, NotFound, Refused
from stint.kube.resources import EVENTS, Resource

log = logging.getLogger(__name__)


class Client(Protocol):
    """What is needed of a client to carry a plan out: `KubeClient`, or the one of whoever leads."""

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest: ...

    async def create(self, resource: Resource, namespace: str, body: Manifest) -> Manifest: ...

    async def write_status(self, resource: Resource, namespace: str, name: str, *, version: str, uid: str, status: Mapping[str, Any]) -> Manifest: ...

    async def patch(self, resource: Resource, namespace: str, name: str, body: Manifest) -> Manifest: ...

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str | None = None, grace_seconds: int | None = None
    ) -> Manifest: ...


class Memory(Protocol):
    """The caches, which learn of our own writes before any watch tells them."""

    def feed(self, resource: Resource, item: dict[str, Any]) -> None:
        """An object as the API server answered it to a write of ours: no news to whoever made the plan."""

    def found(self, resource: Resource, item: dict[str, Any]) -> None:
        """An object of ours that was there already; how far it has come is news."""

    def missing(self, resource: Resource, uid: str) -> None:
        """An object that the API server does not have."""


class Witness(Protocol):
    """Is told what of a plan has come to pass, once, when the API server has confirmed it. What was there already is not news."""

    def written(self, status: Mapping[str, Any]) -> None:
        """The status, in place of the one that the plan was made from."""

    def created(self, resource: Resource, item: dict[str, Any]) -> None:
        """An object, as the API server answered it."""


class Nobody:
    """For plans whose outcome nobody counts."""

    def written(self, status: Mapping[str, Any]) -> None: ...

    def created(self, resource: Resource, item: dict[str, Any]) -> None: ...


NOBODY = Nobody()


class ObjectGone(Exception):
    """The object whose plan it is does not exist any more."""


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


async def act(client: Client, plan: Plan, target: Target, memory: Memory, witness: Witness = NOBODY) -> Refusal | None:
    """Do everything in the plan. Returns why the API server would not have one of our objects, if so.

    Raises `Conflict` when the status has changed meanwhile (look again), `ObjectGone`, and `Unreachable` and `ApiError` as the client does.
    """
    if not plan.delete_first:
        await _write_status(client, plan, target, memory, witness)
    await _write_finalizers(client, plan, target, memory)
    for deletion in plan.delete:
        await _delete(client, deletion, memory)
    if plan.delete_first:
        await _write_status(client, plan, target, memory, witness)
    refusal = None
    for creation in plan.create:
        refusal = await _create(client, creation, target, memory, witness)
        if refusal is not None:
            break
    for event in plan.events:
        await post_event(client, event, target)
    return refusal


async def _write_status(client: Client, plan: Plan, target: Target, memory: Memory, witness: Witness) -> None:
    if plan.status is None or plan.status == (target.item.get("status") or {}):
        return
    meta = target.meta
    try:
        written = await client.write_status(
            target.resource, meta["namespace"], meta["name"], version=meta["resourceVersion"], uid=meta["uid"], status=plan.status
        )
    except NotFound as gone:
        if gone.reason != "NotFound":  # the path is unknown, not the object: the CRD is being replaced
            raise
        raise ObjectGone(meta["uid"]) from gone
    memory.feed(target.resource, written)
    witness.written(plan.status)


async def _write_finalizers(client: Client, plan: Plan, target: Target, memory: Memory) -> None:
    meta = target.meta
    if plan.finalizers is None or list(plan.finalizers) == (meta.get("finalizers") or []):
        return
    body = {"metadata": {"resourceVersion": meta["resourceVersion"], "uid": meta["uid"], "finalizers": list(plan.finalizers)}}
    try:
        written = await client.patch(target.resource, meta["namespace"], meta["name"], body)
    except NotFound as gone:
        if gone.reason != "NotFound":
            raise
        raise ObjectGone(meta["uid"]) from gone
    if plan.finalizers or "deletionTimestamp" not in meta:  # else this was its end
        memory.feed(target.resource, written)


async def _delete(client: Client, deletion: Delete, memory: Memory) -> None:
    try:
        await client.delete(deletion.resource, deletion.namespace, deletion.name, uid=deletion.uid, grace_seconds=deletion.grace_seconds)
    except NotFound:
        if deletion.uid is not None:
            memory.missing(deletion.resource, deletion.uid)
    except Conflict:
        log.info("%s %s/%s is another object by now; left alone", deletion.resource.plural, deletion.namespace, deletion.name)


async def _create(client: Client, creation: Create, target: Target, memory: Memory, witness: Witness) -> Refusal | None:
    manifest = creation.manifest
    meta = manifest["metadata"]
    try:
        created = await client.create(creation.resource, meta["namespace"], manifest)
    except Conflict:
        if creation.shared:
            memory.feed(creation.resource, await _bring_up_to_date(client, creation))
            return None
        return await _adopt(client, creation, target, memory)
    except NotFound as gone:  # the namespace is not there any more
        return Refusal(manifest["kind"], meta["name"], NAMESPACE_TERMINATING, gone.message)
    except Refused as no:
        causes = no.details.get("causes") or ()
        ending = any(cause.get("reason") == NAMESPACE_TERMINATING for cause in causes)
        return Refusal(manifest["kind"], meta["name"], NAMESPACE_TERMINATING if ending else no.reason, no.message)
    memory.feed(creation.resource, created)
    witness.created(creation.resource, created)
    return None


async def _bring_up_to_date(client: Client, creation: Create) -> Manifest:
    """Give an object that is there the content it should have. Raises `Conflict` when somebody else writes it meanwhile: the request of a former
    leader may come late, and must not put back what that one knew."""
    manifest, name = creation.manifest, creation.manifest["metadata"]["name"]
    namespace = manifest["metadata"]["namespace"]
    there = await client.get(creation.resource, namespace, name)
    content = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind", "metadata")}
    version = {"metadata": {"resourceVersion": there["metadata"]["resourceVersion"]}}
    return await client.patch(creation.resource, namespace, name, version | content)


async def _adopt(client: Client, creation: Create, target: Target, memory: Memory) -> Refusal | None:
    """An object of this name is there: ours from before a crash, or somebody else's."""
    meta = creation.manifest["metadata"]
    there = await client.get(creation.resource, meta["namespace"], meta["name"])
    owner = meta.get("annotations", {}).get("stint.dev/owner-uid") or target.meta["uid"]
    if owner in owners(there):
        memory.found(creation.resource, there)
        return None
    kind = creation.manifest["kind"]
    return Refusal(kind, meta["name"], NAME_TAKEN, f"a {kind} named {meta['name']} exists and belongs to something else")


def owners(item: dict[str, Any]) -> set[str]:
    """The uid of the controller of an object, and of the session that a retained volume remembers."""
    meta = item["metadata"]
    uids = {reference["uid"] for reference in meta.get("ownerReferences", ()) if reference.get("controller")}
    remembered = (meta.get("annotations") or {}).get("stint.dev/owner-uid")
    return uids | {remembered} if remembered else uids


async def post_event(client: Client, event: EventRecord, target: Target) -> None:
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
