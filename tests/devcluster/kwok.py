"""Fake nodes: kwok plays kubelet for Node objects that have no machine, so that thousands of pods cost almost nothing.

Pods on them are Running and Ready at once and vanish when they are deleted; a file with more stages can make them fail or finish. Beside
real nodes the fake ones are tainted, so that only pods which tolerate `kwok.x-k8s.io/node` land there.
"""

import http.client
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devcluster.api import Api, ApiError, Object
from devcluster.components import Component
from devcluster.controlplane import API_READY
from devcluster.paths import HERE
from devcluster.state import Shape

ANNOTATION = "kwok.x-k8s.io/node"
STAGES = HERE / "manifests" / "kwok-stages.yaml"
CAPACITY = {"cpu": "1k", "memory": "1Ti", "ephemeral-storage": "1Ti", "pods": "2k"}


def components(state: Path, shape: Shape, programs: Path) -> list[Component]:
    """The kwok process, if there are fake nodes; writes its stages."""
    if shape.kwok == 0:
        return []
    stages = state / "kwok-stages.yaml"
    extra = f"\n---\n{Path(shape.kwok_stages).read_text()}" if shape.kwok_stages else ""
    stages.write_text(STAGES.read_text() + extra)
    lease = 10 if shape.nodes else 40  # renewed at a quarter; must fit the controller manager's grace period
    command = [
        str(programs / "kwok"),
        f"--config={stages}",
        f"--kubeconfig={state / 'pki' / 'kwok.kubeconfig'}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake",
        f"--node-lease-duration-seconds={lease}",
        "--node-ip=127.0.0.1",
        "--v=WARN",
    ]
    return [Component("kwok", command, after=[API_READY])]


def fake_node(index: int, tainted: bool) -> Object:
    """A Node object with room for 2,000 pods."""
    name = f"kwok-{index}"
    labels = {"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    taints = [{"key": ANNOTATION, "value": "fake", "effect": "NoSchedule"}] if tainted else []
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {ANNOTATION: "fake"}},
        "spec": {"taints": taints},
        "status": {"allocatable": CAPACITY, "capacity": CAPACITY},
    }


def create_nodes(api: Api, shape: Shape) -> None:
    """Create the Node objects, a few at a time."""

    def create(index: int) -> None:
        try:
            api.request("POST", "/api/v1/nodes", fake_node(index, tainted=shape.nodes > 0))
        except ApiError as error:
            if error.status != http.client.CONFLICT:
                raise

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, range(1, shape.kwok + 1)))
