"""The processes beside the nodes: etcd, API server, controller manager, scheduler, and our own forwarder and volume provisioner."""

import sys
from pathlib import Path

from devcluster import audit, network
from devcluster.components import Component
from devcluster.state import Shape

ETCD = "http://127.0.0.1:2379"
API_READY = f"{network.inner_server()}/readyz"
LISTEN_FD = 3  # the forwarder's socket, made outside and inherited

# The controllers' own client limits (20 and 50 requests a second by default) would be the ceiling of every test with many objects.
CLIENT_LIMITS = ["--kube-api-qps=1000", "--kube-api-burst=2000"]


def components(state: Path, shape: Shape, programs: Path) -> list[Component]:
    """In the order of their start; each waits for the URL it needs."""
    pki = state / "pki"
    return [
        Component("etcd", etcd(state, programs)),
        Component("kube-apiserver", kube_apiserver(state, pki, shape, programs), after=[f"{ETCD}/health"]),
        Component("forwarder", forwarder(), descriptors=[LISTEN_FD]),
        Component("kube-controller-manager", kube_controller_manager(pki, shape, programs), after=[API_READY]),
        Component("kube-scheduler", kube_scheduler(pki, shape, programs), after=[API_READY]),
        Component("volumes", volumes(state, pki), after=[API_READY]),
    ]


def etcd(state: Path, programs: Path) -> list[str]:
    """Without fsync: nobody needs the data after a crash of the machine."""
    return [
        str(programs / "etcd"),
        f"--data-dir={state / 'etcd'}",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--log-level=warn",
        "--unsafe-no-fsync",
    ]


def kube_apiserver(state: Path, pki: Path, shape: Shape, programs: Path) -> list[str]:
    """Admission plugins are the defaults (PodSecurity, ValidatingAdmissionPolicy and webhooks among them) and NodeRestriction."""
    return [
        str(programs / "kube-apiserver"),
        f"--etcd-servers={ETCD}",
        f"--bind-address={network.CONTROL_PLANE_IP}",
        f"--advertise-address={network.CONTROL_PLANE_IP}",
        f"--secure-port={network.API_PORT}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'kubelet-client.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki / 'sa.pub'}",
        f"--service-account-signing-key-file={pki / 'sa.key'}",
        "--api-audiences=https://kubernetes.default.svc",
        f"--requestheader-client-ca-file={pki / 'ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy.key'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={network.SERVICE_RANGE}",
        "--allow-privileged=true",
        _verbosity(shape),
        *audit.flags(state),
    ]


def kube_controller_manager(pki: Path, shape: Shape, programs: Path) -> list[str]:
    """A lost real node is noticed after 10 s instead of 50; fake nodes report too seldom for that, so alone they get the default."""
    quick_loss = ["--node-monitor-grace-period=10s", "--node-monitor-period=1s"] if shape.nodes else []
    return [
        str(programs / "kube-controller-manager"),
        *_controller_flags(pki, "controller-manager", shape),
        "--use-service-account-credentials",
        f"--service-account-private-key-file={pki / 'sa.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        "--concurrent-job-syncs=20",
        "--concurrent-statefulset-syncs=20",
        "--flex-volume-plugin-dir=/run/flex-volumes",
        *quick_loss,
    ]


def kube_scheduler(pki: Path, shape: Shape, programs: Path) -> list[str]:
    """The default profile."""
    return [str(programs / "kube-scheduler"), *_controller_flags(pki, "scheduler", shape)]


def forwarder() -> list[str]:
    """The way in from 127.0.0.1 of the machine."""
    return [sys.executable, "-m", "devcluster.forwarder", str(LISTEN_FD), network.CONTROL_PLANE_IP, str(network.API_PORT)]


def volumes(state: Path, pki: Path) -> list[str]:
    """The provisioner of the default StorageClass."""
    return [sys.executable, "-m", "devcluster.volumes", str(state / "volumes"), str(pki / "volumes.kubeconfig")]


def _controller_flags(pki: Path, user: str, shape: Shape) -> list[str]:
    kubeconfig = pki / f"{user}.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--tls-cert-file={pki / 'apiserver.crt'}",  # else it makes an RSA key at every start
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        "--leader-elect=false",
        *CLIENT_LIMITS,
        _verbosity(shape),
    ]


def _verbosity(shape: Shape) -> str:
    """Logs cost time where only figures count."""
    return "--v=2" if shape.nodes else "--v=1"
