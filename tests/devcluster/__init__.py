"""A real Kubernetes on one Linux machine, without Docker, for Stint's own tests and benchmarks.

Etcd, the control plane, kubelets and containerd are built from Go modules and run in Linux namespaces of their own: one process is the
init of everything, and when it is killed nothing of the cluster is left.

    >>> from devcluster import Cluster
    >>> cluster = Cluster("stint")
    >>> cluster.up(nodes=2)
    >>> cluster.exec(["kubectl", "get", "nodes"])
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devcluster.cluster import Cluster
    from devcluster.errors import DevclusterError

__all__ = ["Cluster", "DevclusterError"]


def __getattr__(name: str) -> Any:
    """Import on first use: the small processes inside the cluster (init, forwarder, volumes) must not load what only `up` needs."""
    if name == "Cluster":
        from devcluster.cluster import Cluster

        return Cluster
    if name == "DevclusterError":
        from devcluster.errors import DevclusterError

        return DevclusterError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
