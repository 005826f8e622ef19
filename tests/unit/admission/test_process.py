"""How the process begins, tells whether it is ready, and ends; and its route table."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import jsonpatch
import kopf
import pytest
from kopf._core.intents.causes import Activity

from simulation.virtual_time import VirtualLoop
from stint.admission import main
from stint.admission.process import Admission
from stint.admission.server import AdmissionServer
from stint.certificates.keeper import look_after
from stint.identity import CREATED_BY, CREATED_BY_GROUPS
from stint.kube.client import KubeClient
from stint.kube.errors import NotFound
from stint.settings import Settings
from unit.certificates import kit as certificates
from unit.certificates.kit import NAMESPACE, NOW
from unit.cluster_kit import SmallCluster
from unit.engine.kit import virtual

handlers: Any = main


class Both(SmallCluster, certificates.Cluster):
    """Lists and watches of the one, Secret and configurations of the other."""

    def __init__(self) -> None:
        SmallCluster.__init__(self)
        certificates.Cluster.__init__(self)

    get = certificates.Cluster.get
    patch = certificates.Cluster.patch


def with_process(work: Callable[[Both, Admission], Coroutine[Any, Any, None]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stint.admission.process.gc.freeze", lambda: None)

    async def scenario(_: VirtualLoop) -> None:
        cluster = Both()
        process = Admission(Settings(), cluster, lambda: NOW)
        try:
            await work(cluster, process)
        finally:
            await process.stop()

    virtual(scenario)


def test_it_is_ready_with_its_caches_filled_and_its_certificate_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(cluster: Both, process: Admission) -> None:
        cluster.gates["ratebudgets"] = asyncio.Event()
        process.start()
        await asyncio.sleep(2)
        assert process.problem == "the caches are not filled yet"
        cluster.gates["ratebudgets"].set()
        await asyncio.sleep(2)
        assert process.problem == "the webhook's port is not open yet"
        process.listening.set()
        assert "no certificate" in process.problem
        await look_after(cluster, NAMESPACE, lambda: NOW)
        await asyncio.sleep(2)
        assert process.problem == ""
        assert not process.stop_flag.is_set()

    with_process(work, monkeypatch)


def test_profiles_providers_namespaces_and_budgets_are_known_but_no_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(cluster: Both, process: Admission) -> None:
        process.start()
        await asyncio.sleep(1)
        assert sorted(cluster.lists) == ["agentprofiles", "modelproviders", "namespaces", "ratebudgets"]
        meta = {"name": "a", "uid": "u", "resourceVersion": "5", "labels": {"tier": "gold"}}
        cluster.events["namespaces"].put_nowait(("ADDED", {"metadata": meta}))
        for plural, name in (("agentprofiles", "p"), ("modelproviders", "m")):
            place = {"name": name, "namespace": "a", "uid": name, "resourceVersion": "5"}
            cluster.events[plural].put_nowait(("ADDED", {"metadata": place, "spec": {}}))
        await asyncio.sleep(1)
        assert process.world.namespaces.get("", "a") == {"tier": "gold"}
        assert process.world.profiles.get("a", "p") is not None
        assert process.world.providers.get("a", "m") is not None

    with_process(work, monkeypatch)


def test_without_crds_the_process_ends_and_says_why(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def work(cluster: Both, process: Admission) -> None:
        cluster.trouble["ratebudgets"] = [NotFound(404, "NotFound", "no such path")]
        process.start()
        await asyncio.wait_for(process.stop_flag.wait(), 5)
        assert process.failure is not None
        assert "admission failed" in caplog.text

    with_process(work, monkeypatch)


async def test_what_has_not_begun_can_be_stopped() -> None:
    await Admission(Settings()).stop()


async def test_probes_say_that_it_lives_and_why_it_is_not_ready(unused_tcp_port: int) -> None:
    process = Admission(Settings())
    runner = await process.serve_health(unused_tcp_port)
    async with aiohttp.ClientSession() as http:
        for path, code, text in (("healthz", 200, "ok"), ("readyz", 503, "the caches are not filled yet")):
            async with http.get(f"http://127.0.0.1:{unused_tcp_port}/{path}") as answer:
                assert (answer.status, (await answer.text()).strip()) == (code, text)
    await runner.cleanup()


# The route table


def test_kopf_answers_and_watches_nothing() -> None:
    registry = main.registry
    assert {(handler.id, handler.selector.any_name) for handler in registry._webhooks.get_all_handlers() if handler.selector} == {
        ("created-by", "agentsessions"), ("agentsession", "agentsessions"), ("ratebudget", "ratebudgets"),
        ("agentprofile", "agentprofiles"), ("modelprovider", "modelproviders"),
    }  # fmt: skip
    for others in (registry._watching, registry._changing, registry._spawning, registry._indexing):
        assert list(others.get_all_handlers()) == []
    assert {handler.activity for handler in registry._activities.get_all_handlers()} == {
        Activity.STARTUP, Activity.AUTHENTICATION, Activity.CLEANUP,
    }  # fmt: skip


class Memo:
    """In place of the process."""

    def __init__(self) -> None:
        self.settings = Settings(port=8123)
        self.client = KubeClient()
        self.steps: list[str] = []
        self.certificate = Admission(Settings()).certificate
        self.listening = asyncio.Event()
        self.health_server: Memo | None = None

    async def serve_health(self, port: int) -> Memo:
        self.steps.append(f"probes on {port}")
        return self

    def start(self) -> None:
        self.steps.append("start")

    async def stop(self) -> None:
        self.steps.append("stop")

    async def cleanup(self) -> None:
        self.steps.append("probes end")

    def answered(self, *_: object) -> None: ...


async def test_the_process_begins_and_ends_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stint.admission.main.gc.set_threshold", lambda *_: None)
    settings, memo = kopf.OperatorSettings(), Memo()
    try:
        await handlers.startup(settings=settings, memo=memo)
    finally:
        logging.getLogger("kopf.objects").removeFilter(main.is_news)
    assert isinstance(settings.admission.server, AdmissionServer)
    assert settings.admission.managed is None
    assert settings.scanning.disabled
    await handlers.cleanup(memo=memo)
    assert memo.steps == ["probes on 8123", "start", "stop", "probes end"]


async def test_the_login_is_shared_with_our_client(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, memo = kopf.OperatorSettings(), Memo()

    async def login(client: KubeClient, given: kopf.OperatorSettings) -> tuple[KubeClient, kopf.OperatorSettings]:
        return client, given

    monkeypatch.setattr(main, "login", login)
    assert await handlers.sign_in(settings=settings, memo=memo) == (memo.client, settings)


@pytest.mark.parametrize(("failure", "code"), [(None, 0), (RuntimeError("broken"), 1)])
async def test_the_exit_code_says_whether_it_has_failed(failure: Exception | None, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def operator(*, memo: Admission, **options: Any) -> None:
        assert options == {"registry": main.registry, "clusterwide": True, "standalone": True, "stop_flag": memo.stop_flag}
        memo.failure = failure

    monkeypatch.setattr(main, "read_settings", lambda: Settings(port=8123))
    monkeypatch.setattr(kopf, "operator", operator)
    assert await main.admission() == code


def test_a_refusal_is_no_error_in_the_log_but_a_bug_is() -> None:
    def record(exc_info: Any) -> logging.LogRecord:
        return logging.LogRecord("kopf.objects", logging.ERROR, "", 1, "text", None, exc_info)

    assert not main.is_news(record(None))
    assert main.is_news(record((ValueError, ValueError(), None)))


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        (["stint.dev/ledger", "example.com/other"], None, ["stint.dev/ledger"]),
        (["stint.dev/ledger"], ["example.com/other"], ["example.com/other", "stint.dev/ledger"]),
        (["stint.dev/ledger"], ["stint.dev/ledger"], ["stint.dev/ledger"]),
        (["example.com/other"], None, None),
    ],
)
async def test_who_replaces_a_session_by_its_manifest_keeps_stamp_and_finalizer(
    before: list[str], after: list[str] | None, kept: list[str] | None
) -> None:
    old: Any = {"metadata": {"name": "fix", "namespace": "a", "annotations": {CREATED_BY: "alice"}, "finalizers": before}}
    body: Any = {"metadata": {"name": "fix", "namespace": "a", **({"finalizers": after} if after else {})}}
    patch = kopf.Patch(body=kopf.Body(body))
    await handlers.created_by(memo=Admission(Settings()), body=kopf.Body(body), old=kopf.Body(old), userinfo={"username": "bob"}, patch=patch)
    meta = jsonpatch.apply_patch(body, patch.as_json_patch())["metadata"]
    assert (meta["annotations"], meta.get("finalizers")) == ({CREATED_BY: "alice"}, kept)


async def test_a_group_that_a_shared_budget_names_is_not_pushed_out_by_a_budget_of_a_user() -> None:
    process = Admission(Settings())
    for namespace, glob in (("stint-system", "payers"), ("a", "*")):
        meta = {"name": "team", "namespace": namespace, "uid": namespace, "resourceVersion": "5", "generation": 1}
        limits = [{"name": "busy", "resource": "concurrency", "limit": "1"}]
        process.world.budgets.take({"metadata": meta, "spec": {"limits": limits, "selector": {"groups": [glob]}}})
    stamp = process.stamp(None, "a", {"username": "alice", "groups": [*(f"g{number}" for number in range(200)), "payers"]})
    assert "payers" in (stamp[CREATED_BY_GROUPS] or "").split("\n")
