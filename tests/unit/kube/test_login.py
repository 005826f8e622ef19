"""Signing in: with what, to where, and that Kopf and we use the same credentials."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import kopf
import pytest
import yaml

from stint.kube import login as module
from stint.kube.client import KubeClient
from stint.kube.errors import Unreachable
from stint.kube.login import KOPF_CONNECTIONS, TOKEN_READ_EVERY, connection, login
from stint.kube.resources import PODS, Resource
from unit.kube.kit import Json, Server, document


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No service account, and a home without kubeconfig; the path that KUBECONFIG names."""
    monkeypatch.setattr(module, "TOKEN_FILE", tmp_path / "no-token")
    monkeypatch.setattr(kopf, "login_with_service_account", lambda **_: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))  # read once, at import
    return tmp_path / "kubeconfig"


def write_kubeconfig(path: Path, server: str, **user: str) -> None:
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me", "namespace": "team-a"}}],
        "clusters": [{"name": "it", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": user}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(config))


class HurriedClient(KubeClient):
    """A client waits for its login for ever; a test does not."""

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        async with asyncio.timeout(10):
            return await super().get(resource, namespace, name)


@pytest.fixture
async def client() -> KubeClient:
    return HurriedClient()


@pytest.fixture
async def in_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Server) -> Path:
    """A pod's token file; the server is the one that the service account leads to."""
    token = tmp_path / "token"
    token.write_text("first\n")
    monkeypatch.setattr(module, "TOKEN_FILE", token)
    info = kopf.ConnectionInfo(server=server.url + "/", token="stale", default_namespace="stint-system")
    monkeypatch.setattr(kopf, "login_with_service_account", lambda **_: info)
    return token


async def test_in_a_pod_the_token_is_read_from_its_file_and_read_anew_every_minute(
    in_pod: Path, server: Server, client: KubeClient, clock: Clock
) -> None:
    # given
    server.answer(document({}))
    context = await login(client, kopf.OperatorSettings())
    async with context.aiohttp_session:
        await client.get(PODS, "a", "b")
        # when the kubelet has replaced it
        in_pod.write_text("second")
        clock.now += TOKEN_READ_EVERY - 1
        await client.get(PODS, "a", "b")
        clock.now += 2
        await client.get(PODS, "a", "b")
    # then
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer first", "Bearer first", "Bearer second"]


async def test_kopf_signs_in_as_we_do(in_pod: Path, server: Server, client: KubeClient) -> None:
    server.answer(document({}))
    context = await login(client, kopf.OperatorSettings())
    assert (context.server, context.default_namespace) == (server.url, "stint-system")
    await client.get(PODS, "a", "b")
    async with context.aiohttp_session.get(context.server + "/version", json={"n": 1}) as response:
        assert response.status == 200
    await context.aiohttp_session.close()
    assert [asked.path for asked in server.asked] == ["/api/v1/namespaces/a/pods/b", "/version"]
    assert [asked.headers["User-Agent"] for asked in server.asked] == ["stint", "stint"]
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer first", "Bearer first"]
    assert server.asked[1].json == {"n": 1}


async def test_kopfs_connections_are_bounded(in_pod: Path, client: KubeClient) -> None:
    context = await login(client, kopf.OperatorSettings())
    async with context.aiohttp_session as session:
        assert session.connector is not None
        assert session.connector.limit == KOPF_CONNECTIONS


async def test_a_proxy_of_the_kubeconfig_is_used(client: KubeClient, monkeypatch: pytest.MonkeyPatch, outside: Path, server: Server) -> None:
    """Nobody listens at its address."""
    info = kopf.ConnectionInfo(server=server.url, proxy_url="http://127.0.0.1:1")
    monkeypatch.setattr(kopf, "login_with_service_account", lambda **_: info)
    context = await login(client, kopf.OperatorSettings())
    await context.aiohttp_session.close()
    with pytest.raises(Unreachable, match="Connect"):
        await client.get(PODS, "a", "b")
    assert server.asked == []


async def test_certificates_without_authority_key_are_accepted_but_not_unverified_ones(
    in_pod: Path, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a Python that is strict by default
    contexts: list[ssl.SSLContext] = []

    def strict(_: kopf.ConnectionInfo) -> ssl.SSLContext:
        contexts.append(ssl.create_default_context())
        contexts[0].verify_flags |= ssl.VERIFY_X509_STRICT
        return contexts[0]

    monkeypatch.setattr(kopf.ConnectionInfo, "as_ssl_context", strict)
    # when
    context = await login(client, kopf.OperatorSettings())
    await context.aiohttp_session.close()
    # then
    assert not contexts[0].verify_flags & ssl.VERIFY_X509_STRICT
    assert contexts[0].verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("library", [True, False], ids=["official client", "without it"])
async def test_outside_a_cluster_the_kubeconfig_says_where_and_who(
    outside: Path, server: Server, client: KubeClient, library: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    if not library:
        monkeypatch.setattr(kopf, "login_via_client", lambda **_: None)
    write_kubeconfig(outside, server.url, token="mine")
    server.answer(document({}))
    # when
    context = await login(client, kopf.OperatorSettings())
    async with context.aiohttp_session:
        await client.get(PODS, "a", "b")
    # then
    assert server.asked[0].headers["Authorization"] == "Bearer mine"
    assert context.server == server.url


def test_without_any_credentials_it_is_said_what_to_do(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kopf, "login_via_client", lambda **_: None)
    monkeypatch.delenv("KUBECONFIG")
    with pytest.raises(kopf.LoginError, match="run in a pod with a service account, or set KUBECONFIG"):
        connection(kopf.OperatorSettings())


def test_the_service_account_comes_before_a_kubeconfig(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_kubeconfig(outside, "https://elsewhere", token="mine")
    monkeypatch.setattr(kopf, "login_with_service_account", lambda **_: kopf.ConnectionInfo(server="https://here"))
    assert connection(kopf.OperatorSettings()).server == "https://here"


async def test_a_second_login_replaces_the_first(in_pod: Path, server: Server, client: KubeClient) -> None:
    server.answer(document({}))
    first = await login(client, kopf.OperatorSettings())
    second = await login(client, kopf.OperatorSettings())
    await first.aiohttp_session.close()
    async with second.aiohttp_session:
        assert await client.get(PODS, "a", "b") == {}
