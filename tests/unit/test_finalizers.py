"""Uninstalling: which finalizers go, which stay, and what is said at the end."""

from __future__ import annotations

import aiohttp
import kopf
import pytest

from stint.finalizers import release, release_all
from stint.kube.client import KubeClient
from stint.kube.errors import Conflict, NotFound, Refused, Unreachable
from unit.cluster_kit import Json, SmallCluster
from unit.engine.kit import thing


def session(name: str, *finalizers: str, version: int = 7) -> Json:
    item = thing(name, version)
    item["metadata"]["finalizers"] = list(finalizers)
    return item


@pytest.fixture
async def cluster() -> SmallCluster:
    return SmallCluster()


async def test_our_finalizers_go_and_those_of_others_stay(cluster: SmallCluster) -> None:
    cluster.items["agentsessions"] = [
        session("ours", "stint.dev/settlement"),
        session("both", "argocd.argoproj.io/hook", "stint.dev/settlement", "foregroundDeletion", "stint.dev/other", version=9),
    ]
    assert await release(cluster) == (2, 0)
    assert cluster.patches == [
        ("team-a/ours", {"metadata": {"resourceVersion": "7", "finalizers": []}}),
        ("team-a/both", {"metadata": {"resourceVersion": "9", "finalizers": ["argocd.argoproj.io/hook", "foregroundDeletion"]}}),
    ]


async def test_sessions_without_our_finalizers_are_left_alone(cluster: SmallCluster) -> None:
    bare = thing("bare")
    empty = thing("empty")
    empty["metadata"]["finalizers"] = None
    cluster.items["agentsessions"] = [bare, empty, session("foreign", "example.com/stint.dev/", "stint.device/x")]
    assert await release(cluster) == (0, 0)
    assert cluster.patches == []


@pytest.mark.parametrize("failure", [Conflict(409, "Conflict", "changed"), Refused(403, "Forbidden", "rbac"), Unreachable("lost")])
async def test_one_that_cannot_be_released_is_told_and_the_others_are_released(
    cluster: SmallCluster, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.items["agentsessions"] = [session("stuck", "stint.dev/x"), session("free", "stint.dev/x")]
    cluster.refuses = {"stuck": failure}
    assert await release(cluster) == (1, 1)
    assert [name for name, _ in cluster.patches] == ["team-a/stuck", "team-a/free"]
    assert "team-a/stuck keeps its finalizer" in caplog.text


async def test_one_that_has_gone_by_itself_needs_no_release(cluster: SmallCluster) -> None:
    cluster.items["agentsessions"] = [session("gone", "stint.dev/x"), session("ours", "stint.dev/x")]
    cluster.refuses = {"gone": NotFound(404, "NotFound", "deleted meanwhile")}
    assert await release(cluster) == (1, 0)


class Login:
    """Instead of a login: whoever releases gets the lists of a small cluster."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cluster: SmallCluster) -> None:
        self.session = aiohttp.ClientSession()
        monkeypatch.setattr("stint.finalizers.KubeClient", lambda: cluster)
        monkeypatch.setattr("stint.finalizers.login", self)

    async def __call__(self, client: KubeClient, settings: kopf.OperatorSettings) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server="https://here", aiohttp_session=self.session)


@pytest.fixture
async def signed_in(monkeypatch: pytest.MonkeyPatch, cluster: SmallCluster) -> Login:
    return Login(monkeypatch, cluster)


async def test_all_released_is_success(signed_in: Login, cluster: SmallCluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.items["agentsessions"] = [session("ours", "stint.dev/x"), session("foreign", "example.com/y")]
    assert await release_all() == 0
    assert capsys.readouterr().err == "released 1 sessions, 0 could not be released\n"
    assert signed_in.session.closed


async def test_one_that_stays_is_a_failure(signed_in: Login, cluster: SmallCluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.items["agentsessions"] = [session("ours", "stint.dev/x"), session("stuck", "stint.dev/x")]
    cluster.refuses = {"stuck": Refused(403, "Forbidden", "rbac")}
    assert await release_all() == 1
    assert capsys.readouterr().err == "released 1 sessions, 1 could not be released\n"


async def test_without_the_kind_there_is_nothing_to_release(signed_in: Login, cluster: SmallCluster) -> None:
    cluster.trouble["agentsessions"] = [NotFound(404, "NotFound", "no such kind")]
    assert await release_all() == 0
    assert signed_in.session.closed


async def test_an_api_server_out_of_reach_is_no_success_and_the_connection_is_closed(signed_in: Login, cluster: SmallCluster) -> None:
    cluster.trouble["agentsessions"] = [Unreachable("lost")]
    with pytest.raises(Unreachable):
        await release_all()
    assert signed_in.session.closed
