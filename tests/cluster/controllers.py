"""The controllers of the release: which one leads, how to end it, and when another one follows."""

from __future__ import annotations

from cluster.bed import SYSTEM, Bed
from cluster.kube import Json
from stint.engine.leadership import NAME

REPLICAS = 2


def controllers(bed: Bed) -> list[Json]:
    """Their pods."""
    return bed.kube.list("Pod", SYSTEM, "app.kubernetes.io/component=controller")


def scale(bed: Bed, replicas: int) -> None:
    bed.kube.patch("Deployment", SYSTEM, "stint-controller", {"spec": {"replicas": replicas}})
    bed.kube.until("Deployment", SYSTEM, "stint-controller", lambda one: one["status"].get("readyReplicas", 0) == replicas)
    if not replicas:
        for pod in controllers(bed):
            bed.kube.until("Pod", SYSTEM, pod["metadata"]["name"], lambda _: False, gone=True)


def holder(lease: Json) -> str:
    """Who leads; empty if nobody does."""
    return str(lease.get("spec", {}).get("holderIdentity") or "")


def all_ready(bed: Bed) -> None:
    """Until there is a leader and a warm standby."""
    bed.kube.until("Deployment", SYSTEM, "stint-controller", lambda one: one["status"].get("readyReplicas", 0) == REPLICAS, 120)
    bed.kube.until("Lease", SYSTEM, NAME, lambda lease: alive(bed, lease), 60)


def alive(bed: Bed, lease: Json) -> bool:
    """Whether the pod is there that holds it."""
    return holder(lease).partition("_")[0] in {pod["metadata"]["name"] for pod in controllers(bed)}


def leader(bed: Bed) -> Json:
    """The pod of the controller that leads, one that runs."""
    lease = bed.kube.until("Lease", SYSTEM, NAME, lambda found: alive(bed, found))
    return bed.kube.get("Pod", SYSTEM, holder(lease).partition("_")[0])


def kill_leader(bed: Bed) -> None:
    """By force: kubelet gives it two seconds at most. The other one follows."""
    all_ready(bed)
    pod = leader(bed)
    bed.kube.delete("Pod", SYSTEM, pod["metadata"]["name"], grace=0)


def followed(bed: Bed, pod: Json, seconds: float) -> Json:
    """The Lease when another controller than this one holds it."""
    gone = pod["metadata"]["name"]
    return bed.kube.until("Lease", SYSTEM, NAME, lambda lease: holder(lease) != "" and not holder(lease).startswith(f"{gone}_"), seconds)
