"""The certificates of one cluster: one authority, elliptic keys (RSA keys would cost seconds of a start), valid for a year.

`cryptography` is imported by `up` only; the processes inside the cluster read PEM files.
"""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devcluster import network

VALID = datetime.timedelta(days=365)
MASTERS = "system:masters"  # may do anything, before RBAC is asked


@dataclass(frozen=True)
class Identity:
    """Whom a certificate speaks for: user and groups for Kubernetes, names and addresses for servers."""

    user: str
    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


APISERVER_HOSTS = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
    "127.0.0.1",
    network.CONTROL_PLANE_IP,
    network.API_SERVICE_IP,
)
IDENTITIES = {
    "apiserver": Identity("kube-apiserver", hosts=APISERVER_HOSTS),
    "kubelet-client": Identity("kube-apiserver-kubelet-client", (MASTERS,)),
    "front-proxy": Identity("front-proxy-client"),
    "admin": Identity("admin", (MASTERS,)),
    "controller-manager": Identity("system:kube-controller-manager"),
    "scheduler": Identity("system:kube-scheduler"),
    "kube-proxy": Identity("system:kube-proxy"),
    "volumes": Identity("devcluster:volumes", (MASTERS,)),
    "kwok": Identity("devcluster:kwok", (MASTERS,)),
}


def node_identity(node: str, address: str) -> Identity:
    """A kubelet, as client (the Node authorizer knows it by this name) and as server of logs and exec."""
    return Identity(f"system:node:{node}", ("system:nodes",), (node, "127.0.0.1", address))


class Authority:
    """Signs certificates; keeps its own certificate and key in `folder`, so that a running cluster can issue more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / "ca.crt").exists():
            self._create()
        self._certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    def issue(self, name: str, identity: Identity) -> None:
        """Write NAME.crt and NAME.key, unless they are there."""
        if (self._folder / f"{name}.crt").exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in identity.groups]
        subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, identity.user)])
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = _builder(subject, self._certificate.subject, key.public_key(), self._key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if identity.hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in identity.hosts]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        _write(self._folder / f"{name}.key", _private_pem(key))
        _write(self._folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))

    def issue_token_keys(self) -> None:
        """The key pair that signs service account tokens: sa.key, sa.pub."""
        if (self._folder / "sa.pub").exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        _write(self._folder / "sa.key", _private_pem(key))
        _write(self._folder / "sa.pub", public)

    def _create(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "devcluster-ca")])
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = _builder(name, name, key.public_key(), key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        certificate = builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())
        _write(self._folder / "ca.key", _private_pem(key))
        _write(self._folder / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM))


def issue_all(folder: Path, nodes: list[tuple[str, str]]) -> Authority:
    """Everything a cluster with these (node, address) pairs needs."""
    authority = Authority(folder)
    for name, identity in IDENTITIES.items():
        authority.issue(name, identity)
    for node, address in nodes:
        authority.issue(node, node_identity(node, address))
    authority.issue_token_keys()
    return authority


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, issuer_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    # An hour back: virtual machines correct their clocks.
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + VALID)
    # Python 3.13 refuses certificates that do not name their keys.
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
