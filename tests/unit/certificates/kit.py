"""Certificates for tests, and a cluster that holds a Secret and two webhook configurations."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from stint.certificates.pair import Serving, make
from stint.certificates.secret import CONFIGURATION, MUTATING, VALIDATING, secret_manifest, server_names
from stint.kube.client import KubeClient
from stint.kube.errors import Conflict, NotFound
from stint.kube.resources import SECRETS, Resource

Json = dict[str, Any]
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
NAMESPACE = "stint-system"
NAMES = server_names(NAMESPACE)


def after(days: float) -> datetime:
    return NOW + timedelta(days=days)


def pair(made: datetime = NOW, names: tuple[str, ...] = NAMES, former: bytes = b"") -> Serving:
    return make(names, made, former)


class Cluster(KubeClient):
    """Holds objects, and remembers the order of writes."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[tuple[str, str], Json] = {}
        self.writes: list[str] = []
        self.meanwhile: Callable[[], None] | None = None
        """What somebody else does between our reading and our writing."""
        for resource, webhooks in ((MUTATING, 1), (VALIDATING, 2)):
            found: Json = {"metadata": {"name": CONFIGURATION}, "webhooks": [{"name": f"w{n}", "clientConfig": {}} for n in range(webhooks)]}
            self.put(resource, found)

    def put(self, resource: Resource, item: Json) -> None:
        item = copy.deepcopy(item)
        before = self.objects.get((resource.plural, item["metadata"]["name"]))
        item["metadata"]["resourceVersion"] = str(int(before["metadata"]["resourceVersion"]) + 1 if before else 1)
        self.objects[resource.plural, item["metadata"]["name"]] = item

    def put_secret(self, serving: Serving) -> None:
        self.put(SECRETS, secret_manifest(NAMESPACE, serving))

    def remove(self, resource: Resource, name: str) -> None:
        del self.objects[resource.plural, name]

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        if (resource.plural, name) not in self.objects:
            raise NotFound(404, "NotFound", name)
        found = copy.deepcopy(self.objects[resource.plural, name])
        if self.meanwhile:
            change, self.meanwhile = self.meanwhile, None
            change()
        return found

    async def create(self, resource: Resource, namespace: str, body: Json) -> Json:
        assert (resource, namespace, body["metadata"]["namespace"]) == (SECRETS, NAMESPACE, NAMESPACE)
        if (resource.plural, body["metadata"]["name"]) in self.objects:
            raise Conflict(409, "AlreadyExists", body["metadata"]["name"])
        self.writes.append("create secrets")
        self.put(resource, body)
        return body

    async def patch(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        item = copy.deepcopy(self.objects[resource.plural, name])
        self._expect(item, body["metadata"]["resourceVersion"])
        self.writes.append(f"patch {resource.plural}")
        self.put(resource, item | {"data": body["data"]})
        return item

    async def patch_json(self, resource: Resource, namespace: str, name: str, operations: list[Json]) -> Json:
        item = copy.deepcopy(self.objects[resource.plural, name])
        precondition, *changes = operations
        assert precondition["path"] == "/metadata/resourceVersion"
        self._expect(item, precondition["value"])
        for change in changes:
            _, webhooks, number, config, field = change["path"].split("/")
            item[webhooks][int(number)][config][field] = change["value"]
        self.writes.append(f"patch {resource.plural}")
        self.put(resource, item)
        return item

    def _expect(self, item: Json, version: str) -> None:
        if item["metadata"]["resourceVersion"] != version:
            raise Conflict(409, "Conflict", "changed meanwhile")


