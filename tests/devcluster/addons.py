"""Applies the manifests that make a bare API server a cluster people expect (DNS, a default StorageClass) and waits for what they start."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import yaml

from devcluster.api import Api, ApiError, Object
from devcluster.paths import HERE

MANIFESTS = HERE / "manifests"
RESOURCES = {
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
}


def apply_addons(api: Api, nodes: int) -> None:
    """Server-side apply of the manifests; CoreDNS only where real nodes can run it, one per node."""
    _apply_file(api, MANIFESTS / "storageclass.yaml")
    if nodes:
        _apply_file(api, MANIFESTS / "coredns.yaml", lambda thing: _with_replicas(thing, nodes))


def nodes_ready(api: Api, names: list[str]) -> bool:
    """Whether all these nodes are Ready."""
    ready = set()
    for node in api.get("/api/v1/nodes")["items"]:
        conditions = {condition["type"]: condition["status"] for condition in node["status"].get("conditions", [])}
        if conditions.get("Ready") == "True":
            ready.add(node["metadata"]["name"])
    return ready.issuperset(names)


def service_account_ready(api: Api) -> bool:
    """Whether pods may be created in the namespace default: that needs its service account."""
    return _exists(api, "/api/v1/namespaces/default/serviceaccounts/default")


def dns_ready(api: Api, nodes: int) -> bool:
    """Whether every CoreDNS answers."""
    deployment = api.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns")
    available: int = deployment["status"].get("availableReplicas", 0)
    return available >= nodes


def _apply_file(api: Api, path: Path, change: Callable[[Object], Object] = lambda thing: thing) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        thing = change(document)
        collection = RESOURCES[thing["kind"]].format(namespace=thing["metadata"].get("namespace", ""))
        url = f"{collection}/{thing['metadata']['name']}?fieldManager=devcluster&force=true"
        _until_accepted(partial(api.request, "PATCH", url, thing, "application/apply-patch+yaml"))


def _with_replicas(thing: Object, nodes: int) -> Object:
    if thing["kind"] == "Deployment":
        thing["spec"]["replicas"] = nodes
    return thing


def _until_accepted(request: Callable[[], Object], seconds: float = 15.0) -> None:
    """A young API server refuses some things for a moment (a priority class or namespace it has not made itself yet)."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            request()
        except ApiError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _exists(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except ApiError as error:
        if error.status == 404:
            return False
        raise
    return True
