"""An API server in memory: as much of Kubernetes' own rules as a controller can trip over.

Versions and uids; 409 for names that are taken, for stale versions and for other uids; a status subresource that leaves the rest alone; generations;
the CRDs' schemas, with pruning and defaults; graceful deletion of pods; owner references that a collector follows; and a log of events from which
every watcher reads at its own pace.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson

from simulation.pod_status import Json, stamp
from simulation.structural import defaulted, problems, pruned, schema_of
from stint.api.crd import KINDS
from stint.kube.errors import ApiError, from_status
from stint.kube.resources import CLAIMS, CONFIG_MAPS, EVENTS, LEASES, NAMESPACES, NETWORK_POLICIES, PODS, SECRETS, Resource

OURS = {kind.plural: Resource("stint.dev", "v1alpha1", kind.plural) for kind in KINDS}
SESSIONS, PROFILES, PROVIDERS, BUDGETS = (OURS[plural] for plural in ("agentsessions", "agentprofiles", "modelproviders", "ratebudgets"))
RESOURCES = {resource.plural: resource for resource in (PODS, EVENTS, SECRETS, CONFIG_MAPS, CLAIMS, NAMESPACES, NETWORK_POLICIES, LEASES, *OURS.values())}
DEFAULT_GRACE = 30
IMMEDIATE = 0

T = TypeVar("T")
Place = tuple[str, str, str]
"""Plural, namespace, name."""
Rule = Callable[[Resource, Json], ApiError | None]
"""Why a creation is refused (quota, Pod Security), None if it is not."""


@dataclass(frozen=True)
class Write:
    """One request that changes something, and whether it did."""

    verb: str
    resource: Resource
    namespace: str
    name: str
    changed: bool = True


@dataclass(frozen=True)
class Change:
    """One event of a watch."""

    version: int
    kind: str
    item: Json


class Api:
    """The server's state; ``now`` is its clock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.version = 0
        self.objects: dict[Place, Json] = {}
        self.changes: dict[str, list[Change]] = {plural: [] for plural in RESOURCES}
        self.writes: list[Write] = []
        self.rules: list[Rule] = []
        self.terminating: set[str] = set()
        self.refused: list[str] = []
        """Statuses that the schema forbids: each is a controller that hangs."""
        self.logs: dict[str, str] = {}
        """What the agent of a pod printed, by the pod's uid."""
        self.uids = (uuid.UUID(int=number << 96 | 1 << 78) for number in range(1, 1 << 31))

    # Requests

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        return _copy(self._find(resource, namespace, name))

    def create(self, resource: Resource, namespace: str, body: Json) -> Json:
        item = _through_the_wire(body)
        meta = item["metadata"]
        meta["namespace"] = namespace
        if "name" not in meta:
            meta["name"] = f"{meta.pop('generateName')}{self.version}"
        if namespace in self.terminating:
            cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated"}
            raise _refusal(403, "Forbidden", f"unable to create new content in namespace {namespace}", causes=[cause])
        for rule in self.rules:
            refusal = rule(resource, item)
            if refusal is not None:
                raise refusal
        place = (resource.plural, namespace, meta["name"])
        if place in self.objects:
            raise _refusal(409, "AlreadyExists", f"{resource.plural} {meta['name']!r} already exists")
        item = self._admitted(resource, item)
        item.pop("status", None)
        if resource == PODS:
            item["status"] = {"phase": "Pending", "qosClass": "Burstable"}
        item["metadata"] |= {"uid": str(next(self.uids)), "creationTimestamp": stamp(self._now()), "generation": 1}
        self.writes.append(Write("create", resource, namespace, meta["name"]))
        return self._store(resource, item, "ADDED")

    def patch(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        """A merge patch of everything but the status."""
        old = self._find(resource, namespace, name)
        patch = _through_the_wire(body)
        self._check_preconditions(old, patch)
        new = merged(old, {name: value for name, value in patch.items() if name != "status"})
        new["metadata"] |= {key: old["metadata"][key] for key in ("uid", "creationTimestamp", "resourceVersion")}
        new = self._admitted(resource, new)
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1
        answer = self._changed("patch", resource, old, new)
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            self.remove(resource, namespace, name)
        return answer

    def replace(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        """The whole object, as a PUT writes it."""
        old = self._find(resource, namespace, name)
        new = _through_the_wire(body)
        self._check_preconditions(old, new)
        new["metadata"] |= {key: old["metadata"][key] for key in ("uid", "creationTimestamp", "resourceVersion")}
        return self._changed("replace", resource, old, new)

    def write_status(self, resource: Resource, namespace: str, name: str, *, version: str, uid: str, status: Json) -> Json:
        """A JSON patch of the status subresource: everything else stays as it is."""
        old = self._find(resource, namespace, name)
        self._check_preconditions(old, {"metadata": {"resourceVersion": version, "uid": uid}})
        new = {**old, "status": _through_the_wire(status)}
        return self._changed("write_status", resource, old, self._admitted(resource, new))

    def delete(self, resource: Resource, namespace: str, name: str, *, uid: str | None = None, grace_seconds: int | None = None) -> Json:
        old = self._find(resource, namespace, name)
        if uid is not None and uid != old["metadata"]["uid"]:
            raise _refusal(409, "Conflict", f"the UID in the precondition ({uid}) does not match that of the object")
        self.writes.append(Write("delete", resource, namespace, name))
        grace = self._grace(resource, old, grace_seconds)
        if grace == IMMEDIATE and not old["metadata"].get("finalizers"):
            return self.remove(resource, namespace, name)
        return self._begin_deletion(resource, old, grace)

    def listing(self, resource: Resource, namespace: str | None, selector: str) -> tuple[list[Json], int]:
        found = [
            _copy(item) for (plural, where, _), item in self.objects.items()
            if plural == resource.plural and namespace in (None, where) and matches(item, selector)
        ]  # fmt: skip
        return found, self.version

    # What happens in a cluster besides requests

    def set_pod_status(self, namespace: str, name: str, status: Json) -> Json:
        """kubelet's own writes."""
        old = self._find(PODS, namespace, name)
        return self._store(PODS, {**old, "status": {**old["status"], **_copy(status)}}, "MODIFIED")

    def bind(self, namespace: str, name: str, node: str) -> Json:
        old = self._find(PODS, namespace, name)
        return self._store(PODS, {**old, "spec": {**old["spec"], "nodeName": node}}, "MODIFIED")

    def remove(self, resource: Resource, namespace: str, name: str) -> Json:
        """The object is gone, whatever stood in its way."""
        item = self.objects.pop((resource.plural, namespace, name))
        self.version += 1
        item = _copy(item)
        item["metadata"]["resourceVersion"] = str(self.version)
        self.changes[resource.plural].append(Change(self.version, "DELETED", item))
        return _copy(item)

    def collect_garbage(self) -> list[Place]:
        """Begin the deletion of everything whose owner is gone; what that was."""
        there = {item["metadata"]["uid"] for item in self.objects.values()}
        orphans = [
            place for place, item in self.objects.items()
            if (owners := owner_uids(item)) and not owners & there and "deletionTimestamp" not in item["metadata"]
        ]  # fmt: skip
        for plural, namespace, name in orphans:
            resource, item = RESOURCES[plural], self.objects[plural, namespace, name]
            grace = self._grace(resource, item, None)
            if grace == IMMEDIATE:
                self.remove(resource, namespace, name)
            else:
                self._begin_deletion(resource, item, grace)
        return orphans

    def of(self, resource: Resource) -> Iterator[Json]:
        """The objects themselves, to look at."""
        yield from [item for (plural, _, _), item in self.objects.items() if plural == resource.plural]

    # Rules of the server

    def _find(self, resource: Resource, namespace: str, name: str) -> Json:
        try:
            return self.objects[resource.plural, namespace, name]
        except KeyError:
            raise _refusal(404, "NotFound", f"{resource.plural} {name!r} not found") from None

    def _admitted(self, resource: Resource, item: Json) -> Json:
        if resource.plural not in OURS:
            return item
        schema = schema_of(resource.plural)
        metadata, item = item["metadata"], pruned(schema, {name: value for name, value in item.items() if name != "metadata"})
        defaulted(schema, item)
        wrong = problems(schema, item)
        if wrong:
            self.refused += [problem for problem in wrong if problem.startswith(".status")]
            raise _refusal(422, "Invalid", "; ".join(wrong))
        return {**item, "metadata": metadata}

    def _check_preconditions(self, old: Json, patch: Json) -> None:
        wanted = patch.get("metadata") or {}
        for name in ("resourceVersion", "uid"):
            if name in wanted and wanted[name] != old["metadata"][name]:
                raise _refusal(409, "Conflict", f"the object has been modified: {name} is {old['metadata'][name]}, not {wanted[name]}")

    def _changed(self, verb: str, resource: Resource, old: Json, new: Json) -> Json:
        different = new != old
        self.writes.append(Write(verb, resource, old["metadata"]["namespace"], old["metadata"]["name"], different))
        return self._store(resource, new, "MODIFIED") if different else _copy(old)

    def _grace(self, resource: Resource, item: Json, wanted: int | None) -> int:
        """A pod that runs gets its grace period; everything else goes at once."""
        if resource != PODS or not item["spec"].get("nodeName") or item["status"]["phase"] in ("Succeeded", "Failed"):
            return IMMEDIATE
        if wanted is not None:
            return wanted
        return int(item["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE))

    def _begin_deletion(self, resource: Resource, item: Json, grace: int) -> Json:
        meta = item["metadata"]
        if "deletionTimestamp" in meta and grace >= meta.get("deletionGracePeriodSeconds", 0):
            return _copy(item)  # it may be shortened, never lengthened
        moment = stamp(self._now() + timedelta(seconds=grace))
        return self._store(resource, {**item, "metadata": {**meta, "deletionTimestamp": moment, "deletionGracePeriodSeconds": grace}}, "MODIFIED")

    def _store(self, resource: Resource, item: Json, kind: str) -> Json:
        self.version += 1
        item = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
        self.objects[resource.plural, item["metadata"]["namespace"], item["metadata"]["name"]] = item
        self.changes[resource.plural].append(Change(self.version, kind, _copy(item)))
        return _copy(item)


def owner_uids(item: Json) -> set[str]:
    return {reference["uid"] for reference in item["metadata"].get("ownerReferences") or ()}


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, as written there."""
    if not isinstance(patch, dict):
        return _copy(patch)
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def matches(item: Json, selector: str) -> bool:
    """Whether the labels match a selector of terms ``name=value`` and ``name``."""
    labels = item["metadata"].get("labels") or {}
    for term in filter(None, selector.split(",")):
        name, equals, value = term.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True


def _refusal(code: int, reason: str, message: str, **details: Any) -> ApiError:
    return from_status(code, {"reason": reason, "message": message, "details": details})


def _copy(value: T) -> T:
    """A deep copy of JSON, ten times faster than the general one."""
    copied: T = orjson.loads(orjson.dumps(value))
    return copied


def _through_the_wire(body: Json) -> Json:
    """What arrives is JSON, and what cannot be written as JSON does not arrive."""
    document: Json = orjson.loads(orjson.dumps(body))
    return document
