"""A small synchronous client for tests: one object or list at a time, and waiting by watch, never by sleeping."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config

Json = dict[str, Any]

KINDS = {
    "AgentSession": ("/apis/stint.dev/v1alpha1", "agentsessions"),
    "AgentProfile": ("/apis/stint.dev/v1alpha1", "agentprofiles"),
    "ModelProvider": ("/apis/stint.dev/v1alpha1", "modelproviders"),
    "RateBudget": ("/apis/stint.dev/v1alpha1", "ratebudgets"),
    "Pod": ("/api/v1", "pods"),
    "Secret": ("/api/v1", "secrets"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Event": ("/api/v1", "events"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
}
CLUSTER_KINDS = {
    "Namespace": ("/api/v1", "namespaces"),
    "Node": ("/api/v1", "nodes"),
    "MutatingWebhookConfiguration": ("/apis/admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations"),
    "ValidatingWebhookConfiguration": ("/apis/admissionregistration.k8s.io/v1", "validatingwebhookconfigurations"),
}
MERGE = "application/merge-patch+json"


class Answer(Exception):
    """The API server said no."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status}: {body.get('message', body)}")
        self.status = status
        self.body = body


class Kube:
    """One cluster, as its admin (or as ``user``, by impersonation)."""

    def __init__(self, kubeconfig: Path, user: str | None = None, groups: tuple[str, ...] = ()) -> None:
        found = client.Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=found)  # type: ignore[no-untyped-call]
        self._host = found.host
        self._pool = urllib3.PoolManager(ca_certs=found.ssl_ca_cert, cert_file=found.cert_file, key_file=found.key_file, maxsize=8)
        self._found = found
        self._impersonation = [("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups)] if user else []

    def close(self) -> None:
        self._pool.clear()

    def _headers(self) -> urllib3.HTTPHeaderDict:
        headers = urllib3.HTTPHeaderDict(credential(self._found))
        for name, value in self._impersonation:
            headers.add(name, value)
        return headers

    def raw(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> urllib3.BaseHTTPResponse:
        """One request; the answer as it comes."""
        data = None if body is None else json.dumps(body)
        headers = self._headers()
        headers["Content-Type"] = content_type
        return self._pool.request(method, self._host + path, body=data, headers=headers, timeout=300.0)

    def send(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Json:
        answer = self.raw(method, path, body, content_type)
        parsed: Json = json.loads(answer.data) if answer.data else {}
        if answer.status >= 400:
            raise Answer(answer.status, parsed)
        return parsed

    def path(self, kind: str, namespace: str = "", name: str = "", sub: str = "") -> str:
        root, plural = (KINDS | CLUSTER_KINDS)[kind]
        place = f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"
        return "/".join(part for part in (place, name, sub) if part)

    def create(self, manifest: Json) -> Json:
        return self.send("POST", self.path(manifest["kind"], manifest["metadata"].get("namespace", "")), manifest)

    def get(self, kind: str, namespace: str, name: str) -> Json:
        return self.send("GET", self.path(kind, namespace, name))

    def find(self, kind: str, namespace: str, name: str) -> Json | None:
        try:
            return self.get(kind, namespace, name)
        except Answer as answer:
            if answer.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str = "", selector: str = "") -> list[Json]:
        query = f"?labelSelector={selector}" if selector else ""
        items: list[Json] = self.send("GET", self.path(kind, namespace) + query)["items"]
        return items

    def patch(self, kind: str, namespace: str, name: str, patch: Json, sub: str = "") -> Json:
        return self.send("PATCH", self.path(kind, namespace, name, sub), patch, MERGE)

    def delete(self, kind: str, namespace: str, name: str, grace: int | None = None, propagation: str = "Background") -> None:
        body: Json = {"propagationPolicy": propagation, **({} if grace is None else {"gracePeriodSeconds": grace})}
        try:
            self.send("DELETE", self.path(kind, namespace, name), body)
        except Answer as answer:
            if answer.status != 404:
                raise

    def logs(self, namespace: str, pod: str, container: str) -> str:
        return self.raw("GET", self.path("Pod", namespace, pod, "log") + f"?container={container}").data.decode(errors="replace")

    def until(self, kind: str, namespace: str, name: str, condition: Callable[[Json], Any], seconds: float = 60, gone: bool = False) -> Json:
        """Wait for an object to fulfil a condition (or to be gone); its last state is in the failure."""
        deadline = time.monotonic() + seconds
        last: Json = {}
        while time.monotonic() < deadline:
            listed = self.send("GET", self.path(kind, namespace) + f"?fieldSelector=metadata.name={name}")
            items = listed["items"]
            last = items[0] if items else {}
            if (gone and not items) or (not gone and items and condition(last)):
                return last
            with self._watch(kind, namespace, name, listed["metadata"]["resourceVersion"], deadline - time.monotonic()) as events:
                for event in events:
                    last = event["object"]
                    if event["type"] == "ERROR":
                        break
                    if (gone and event["type"] == "DELETED") or (not gone and event["type"] != "DELETED" and condition(last)):
                        return last
        brief = {"status": last.get("status"), "deletionTimestamp": last.get("metadata", {}).get("deletionTimestamp")}
        raise AssertionError(f"{kind} {namespace}/{name} did not get there within {seconds} s; last seen: {json.dumps(brief, indent=1)[:4000]}")

    def each(self, kind: str, namespace: str, condition: Callable[[Json], Any], count: int, seconds: float) -> set[str]:
        """The names of objects that have fulfilled a condition: so many, or fewer when the time is up."""
        found: set[str] = set()
        deadline = time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            with self._watch(kind, namespace, "", "0", deadline - time.monotonic()) as events:  # the server may end a watch at any time
                for event in events:
                    if event["type"] in ("ADDED", "MODIFIED") and condition(event["object"]):
                        found.add(event["object"]["metadata"]["name"])
                    if len(found) >= count:
                        break
        return found

    @contextmanager
    def _watch(self, kind: str, namespace: str, name: str, version: str, seconds: float) -> Iterator[Iterator[Json]]:
        query = f"?watch=1&resourceVersion={version}&timeoutSeconds={max(1, int(seconds))}" + (f"&fieldSelector=metadata.name={name}" if name else "")
        answer = self._pool.request(
            "GET", self._host + self.path(kind, namespace) + query, headers=self._headers(), preload_content=False, timeout=max(1.0, seconds) + 5
        )
        try:
            yield (json.loads(line) for line in _lines(answer))
        finally:
            answer.close()


def credential(found: client.Configuration) -> dict[str, str]:
    """The header with the token, if that is what the kubeconfig has; asked for each time, because a token that a program hands out expires."""
    settings: dict[str, Any] = dict(found.auth_settings())
    return {setting["key"]: setting["value"] for setting in settings.values()}


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    try:
        for chunk in answer.stream(4096, decode_content=True):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line for line in lines if line)
    except (urllib3.exceptions.ReadTimeoutError, urllib3.exceptions.ProtocolError):
        return
