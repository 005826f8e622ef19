"""Certificates must carry the names that Kubernetes judges them by."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devcluster import kubeconfig, network, pki


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cluster") / "pki"
    pki.issue_all(path, [("node1", network.node_ip(1)), ("node2", network.node_ip(2))])
    return path


def certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())


def hosts(folder: Path, name: str) -> set[str]:
    names = certificate(folder, name).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}


def subject(folder: Path, name: str) -> tuple[str, list[str]]:
    attributes = certificate(folder, name).subject
    groups = [str(group.value) for group in attributes.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return str(attributes.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value), groups


def test_the_api_server_is_itself_inside_outside_and_as_a_service(folder: Path) -> None:
    assert {"127.0.0.1", network.CONTROL_PLANE_IP, network.API_SERVICE_IP, "kubernetes.default.svc"} <= hosts(folder, "apiserver")


def test_a_kubelet_is_the_user_that_the_node_authorizer_knows(folder: Path) -> None:
    assert subject(folder, "node2") == ("system:node:node2", ["system:nodes"])
    assert hosts(folder, "node2") == {"node2", "127.0.0.1", "172.30.0.2"}


def test_the_administrator_is_above_rbac(folder: Path) -> None:
    assert subject(folder, "admin") == ("admin", ["system:masters"])


def test_all_certificates_are_signed_by_the_one_authority(folder: Path) -> None:
    authority = certificate(folder, "ca")
    for file in folder.glob("*.crt"):
        certificate(folder, file.stem).verify_directly_issued_by(authority)


def test_keys_are_elliptic_and_readable_by_the_owner_only(folder: Path) -> None:
    for name in ("ca", "apiserver", "sa"):
        assert (folder / f"{name}.key").stat().st_mode & 0o077 == 0
    assert isinstance(certificate(folder, "apiserver").public_key(), ec.EllipticCurvePublicKey)


def test_issuing_again_changes_nothing(folder: Path) -> None:
    before = {file: file.read_bytes() for file in folder.iterdir()}
    pki.issue_all(folder, [("node1", network.node_ip(1)), ("node2", network.node_ip(2))])
    assert before == {file: file.read_bytes() for file in folder.iterdir()}


def test_a_running_cluster_can_issue_users_of_their_own(folder: Path) -> None:
    pki.Authority(folder).issue("user-bench", pki.Identity("bench", ("system:masters",)))
    assert subject(folder, "user-bench") == ("bench", ["system:masters"])


def test_a_kubeconfig_holds_everything_it_needs(folder: Path, tmp_path: Path) -> None:
    path = kubeconfig.write(tmp_path / "config", "https://127.0.0.1:1234", folder, "admin")
    assert path.stat().st_mode & 0o077 == 0
    assert "https://127.0.0.1:1234" in path.read_text()
    assert str(folder) not in path.read_text()
