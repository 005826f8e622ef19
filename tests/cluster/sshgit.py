"""The git server over ssh in the cluster, keys for it, and all places where a key must not turn up. The server itself is `sshserver`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cluster.bed import GIT, SYSTEM, Bed
from cluster.gitnamespace import git_namespace
from cluster.kube import Json
from cluster.sessions import ready, talk
from cluster.sshserver import PORT

HOST = f"ssh.{GIT}.svc"
IMAGE = "sshserver"
USER = 10003  # `git` in the image
CONTAINERS = ("clone", "gateway", "agent")


@dataclass(frozen=True)
class Key:
    """A new pair of keys, as OpenSSH writes them."""

    pair: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def private(self) -> str:
        openssh = serialization.PrivateFormat.OpenSSH
        return self.pair.private_bytes(serialization.Encoding.PEM, openssh, serialization.NoEncryption()).decode()

    @property
    def public(self) -> str:
        openssh = serialization.PublicFormat.OpenSSH
        return self.pair.public_key().public_bytes(serialization.Encoding.OpenSSH, openssh).decode()

    @property
    def fingerprint(self) -> str:
        digest = serialization.ssh_key_fingerprint(self.pair.public_key(), hashes.SHA256())
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def lines(self) -> list[str]:
        """The lines of the private key that hold its bytes."""
        return [line for line in self.private.splitlines() if not line.startswith("-----")]


@dataclass(frozen=True)
class SSHServer:
    """The server: `member` is the one key that it admits."""

    bed: Bed
    host: Key = field(default_factory=Key)
    member: Key = field(default_factory=Key)

    @property
    def known_hosts(self) -> str:
        return f"{HOST} {self.host.public}\n"

    def log(self) -> str:
        """What sshd says of those who came."""
        return self.bed.kube.logs(GIT, "ssh", "ssh")


@contextmanager
def serving(bed: Bed, repositories: dict[str, dict[str, str]]) -> Iterator[SSHServer]:
    """A server with these repositories ({name: {path: content}})."""
    server = SSHServer(bed)
    image = bed.cluster.images([IMAGE])[IMAGE]
    with git_namespace(bed):
        for manifest in manifests(image, server, repositories):
            bed.kube.create(manifest)
        bed.kube.until("Pod", GIT, "ssh", ready)
        yield server


def manifests(image: str, server: SSHServer, repositories: dict[str, dict[str, str]]) -> list[Json]:
    """What the server consists of."""
    meta = {"name": "ssh", "namespace": GIT, "labels": {"app": "ssh"}}
    files = {"host": server.host.private, "authorized_keys": f"{server.member.public}\n", "repositories.json": json.dumps(repositories)}
    container = {
        "name": "ssh", "image": image, "args": ["/srv"], "volumeMounts": [{"name": "srv", "mountPath": "/srv"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }  # fmt: skip
    spec = {
        "containers": [container], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER, "fsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [{"name": "srv", "secret": {"secretName": "ssh", "defaultMode": 0o440}}],
    }  # fmt: skip
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": files},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": meta["labels"], "ports": [{"port": 22, "targetPort": PORT}]}},
    ]


def everything_written(bed: Bed, item: Json) -> str:
    """The session, its pods, all Events and logs, the controller's log, and what the model was sent."""
    namespace = item["metadata"]["namespace"]
    pods = bed.kube.list("Pod", namespace)
    objects = [pods, bed.kube.list("Event", namespace), bed.kube.list("AgentSession", namespace), bed.mock.requests(talk(item))]
    texts = [json.dumps(each) for each in objects]
    texts += [bed.kube.logs(namespace, pod["metadata"]["name"], container) for pod in pods for container in CONTAINERS]
    controllers = bed.kube.list("Pod", SYSTEM, "app.kubernetes.io/component=controller")
    texts += [bed.kube.logs(SYSTEM, pod["metadata"]["name"], "controller") for pod in controllers]
    return "\n".join(texts)
