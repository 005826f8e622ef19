"""How the process begins, goes on and ends."""

from __future__ import annotations

import asyncio
import logging

import pytest

from stint.assembly import FILL_RETRY, RESYNC, Assembly
from stint.budgets.kind import BUDGETS
from stint.kube.client import KubeClient
from stint.kube.errors import Expired, NotFound, Refused, Unreachable
from stint.profiles.kind import PROFILES
from stint.providers.kind import PROVIDERS
from stint.sessions.expiry import SESSIONS
from stint.settings import Settings
from unit.assembly.kit import Collector, Started, line, pod, profile, with_assembly
from unit.engine.kit import key, thing


def test_nothing_is_decided_before_everything_has_been_listed(collector: Collector) -> None:
    async def scenario(started: Started) -> None:
        # given a profile to decide about, and pods that are not listed yet
        cluster, assembly = started.cluster, started.assembly
        cluster.items["agentprofiles"] = [profile()]
        cluster.gates["pods"] = asyncio.Event()
        # when
        assembly.start()
        await asyncio.sleep(60)
        # then
        assert not assembly.filled
        assert (cluster.statuses, len(assembly.queue)) == ([], 1)
        # when
        cluster.gates["pods"].set()
        await asyncio.sleep(1)
        # then
        assert assembly.filled
        assert [(plural, name) for plural, name, _ in cluster.statuses] == [("agentprofiles", "coder")]
        assert len(assembly.queue) == 0
        assert collector.asked == ["collect", "freeze", "freeze"]

    with_assembly(scenario)


@pytest.mark.parametrize("keeps", [True, False])
def test_the_certificate_of_the_webhook_is_kept_where_that_is_asked_for(keeps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []

    async def keep(client: KubeClient, namespace: str, clock: object) -> None:
        kept.append(namespace)

    async def scenario(started: Started) -> None:
        started.assembly.settings = Settings(workers=2, keep_certificate=keeps)
        started.assembly.start()
        await asyncio.sleep(1)

    monkeypatch.setattr("stint.assembly.keep_certificate", keep)
    with_assembly(scenario)
    assert kept == (["stint-system"] if keeps else [])


def test_a_pod_event_reaches_its_session_while_it_runs() -> None:
    async def scenario(started: Started) -> list[str]:
        started.assembly.start()
        await asyncio.sleep(1)
        started.cluster.events["pods"].put_nowait(("ADDED", pod(101, phase="Running")))
        await asyncio.sleep(1)
        return [one.phase for one in started.assembly.pods.of("u-1")]

    assert with_assembly(scenario) == ["Running"]


def test_sessions_are_listed_at_the_start_and_watched_from_then_on() -> None:
    async def scenario(started: Started) -> tuple[list[bool], int]:
        cluster, sessions = started.cluster, started.assembly.caches[SESSIONS]
        cluster.items["agentsessions"] = [thing("listed", 50, "u-1")]
        started.assembly.start()
        await asyncio.sleep(1)
        seen = [sessions.holds("team-a", "listed", "u-1")]
        cluster.events["agentsessions"].put_nowait(("ADDED", thing("watched", 101, "u-2")))
        cluster.events["agentsessions"].put_nowait(("DELETED", thing("listed", 102, "u-1")))
        await asyncio.sleep(1)
        seen += [sessions.holds("team-a", "listed", "u-1"), sessions.holds("team-a", "watched", "u-2")]
        await asyncio.sleep(2 * RESYNC)
        return seen, cluster.lists.count("agentsessions")

    assert with_assembly(scenario) == ([True, False, True], 1)


def test_a_controller_that_waits_for_the_first_lists_is_alive_though_keys_wait_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(started: Started) -> tuple[int, float]:
        cluster, assembly = started.cluster, started.assembly
        monkeypatch.setattr("stint.engine.controller.time.monotonic", started.loop.time)
        monkeypatch.setattr("stint.telemetry.health.time.monotonic", started.loop.time)
        assembly.controller.last_progress = started.loop.time()
        cluster.items["agentprofiles"] = [profile()]
        cluster.gates["pods"] = asyncio.Event()
        assembly.start()
        await asyncio.sleep(1000)
        assert len(assembly.queue) == 1
        alive = (await assembly.health.healthz(None)).status  # type: ignore[arg-type]
        cluster.items["agentprofiles"] = []
        await line(assembly)
        cluster.gates["pods"].set()
        await asyncio.sleep(1)
        return alive, round(assembly.controller.last_progress, -1)

    assert with_assembly(scenario) == (200, 1000)


@pytest.mark.parametrize("failure", [Unreachable("lost"), Refused(403, "Forbidden", "rbac"), Expired(410, "Expired", "old")])
def test_a_list_that_fails_at_the_start_is_waited_for(failure: Exception) -> None:
    async def scenario(started: Started) -> tuple[bool, bool, int]:
        started.cluster.trouble["agentprofiles"] = [failure, failure]
        started.assembly.start()
        await asyncio.sleep(2 * FILL_RETRY - 0.5)
        before = started.assembly.filled
        await asyncio.sleep(1)
        return before, started.assembly.filled, started.cluster.lists.count("agentprofiles")

    assert with_assembly(scenario) == (False, True, 3 + 1), "and once more by who leads"


@pytest.mark.parametrize("plural", ["agentsessions", "agentprofiles", "modelproviders", "ratebudgets"])
def test_without_the_crds_the_process_ends_with_a_sentence(plural: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(started: Started) -> Assembly:
        started.cluster.trouble[plural] = [NotFound(404, "NotFound", "404 page not found")]
        started.assembly.start()
        await started.assembly.stop_flag.wait()
        return started.assembly

    assembly = with_assembly(scenario)
    assert isinstance(assembly.failure, ExceptionGroup)
    assert f"the cluster does not know {plural}.stint.dev: install the CRDs (charts/stint)" in caplog.text


def test_crds_that_are_missing_later_end_nothing() -> None:
    async def scenario(started: Started) -> tuple[bool, bool]:
        cluster, assembly = started.cluster, started.assembly
        assembly.start()
        await asyncio.sleep(1)
        missing = NotFound(404, "NotFound", "404 page not found")
        cluster.trouble["agentsessions"] = [missing]
        for news in (missing, Expired(410, "Expired", "old")):
            cluster.events["agentsessions"].put_nowait(news)
        await asyncio.sleep(60)
        cluster.events["agentsessions"].put_nowait(("ADDED", thing(version=101)))
        await asyncio.sleep(1)
        return assembly.stop_flag.is_set(), assembly.caches[SESSIONS].holds("team-a", "fix", "u-1")

    assert with_assembly(scenario) == (False, True)


def test_a_resync_finds_what_vanished_unseen() -> None:
    async def scenario(started: Started) -> tuple[bool, bool, int]:
        cluster, assembly = started.cluster, started.assembly
        cluster.items["agentprofiles"] = [profile()]
        assembly.start()
        await asyncio.sleep(1)
        cluster.items["agentprofiles"] = []
        cluster.version = 1000
        await asyncio.sleep(RESYNC - 10)
        before = assembly.caches[PROFILES].holds("team-a", "coder", "f-1")
        await asyncio.sleep(20)
        return before, assembly.caches[PROFILES].holds("team-a", "coder", "f-1"), cluster.lists.count("pods")

    assert with_assembly(scenario) == (True, False, 1)


@pytest.mark.parametrize("failure", [Unreachable("lost"), NotFound(404, "NotFound", "no such kind"), Refused(401, "", "who?")])
def test_a_resync_that_fails_skips_one_kind_once_and_ends_nothing(failure: Exception) -> None:
    async def scenario(started: Started) -> tuple[bool, int, int]:
        cluster, assembly = started.cluster, started.assembly
        assembly.start()
        await asyncio.sleep(1)
        cluster.trouble["agentprofiles"] = [failure]
        await asyncio.sleep(2 * RESYNC + 10)
        return assembly.stop_flag.is_set(), cluster.lists.count("agentprofiles"), cluster.lists.count("modelproviders")

    assert with_assembly(scenario) == (False, 4, 4)


def test_a_bug_in_a_part_ends_the_process_so_that_it_starts_anew(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(started: Started) -> Assembly:
        started.assembly.start()
        await asyncio.sleep(1)
        started.cluster.events["pods"].put_nowait(("ADDED", {"metadata": {"resourceVersion": "101"}}))
        await started.assembly.stop_flag.wait()
        return started.assembly

    assembly = with_assembly(scenario)
    assert assembly.failure is not None
    assert "the controller failed; the process ends and starts anew" in caplog.text


def test_stopping_is_no_failure_and_leaves_no_task_and_no_timer(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(started: Started) -> tuple[BaseException | None, int, int]:
        started.assembly.start()
        await asyncio.sleep(1)
        started.assembly.queue.add_later(key("later"), 10)
        await started.assembly.stop()
        assert started.assembly.stop_flag.is_set()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.sleep(20)
        return started.assembly.failure, len([task for task in others if "controller" in task.get_name()]), len(started.assembly.queue)

    with caplog.at_level(logging.CRITICAL):
        assert with_assembly(scenario) == (None, 0, 0)
    assert not caplog.messages


async def test_stopping_before_the_start_is_fine() -> None:
    assembly = Assembly(Settings())
    await assembly.stop()
    assert assembly.failure is None
    assert type(assembly.client) is KubeClient


async def test_ready_is_when_the_caches_are_filled_and_alive_looks_at_line_and_workers(assembly: Assembly) -> None:
    assert (await assembly.health.readyz(None)).status == 503  # type: ignore[arg-type]
    assembly.filled = True
    assert (await assembly.health.readyz(None)).status == 200  # type: ignore[arg-type]
    assembly.queue.add(key("fix"))
    assert (await assembly.health.healthz(None)).status == 200  # type: ignore[arg-type]
    assembly.controller.last_progress -= 1000
    assert (await assembly.health.healthz(None)).status == 200, "nobody works at a standby's line"  # type: ignore[arg-type]
    assembly.acting = True
    assert (await assembly.health.healthz(None)).status == 500  # type: ignore[arg-type]


async def test_every_kind_has_its_cache_under_the_name_that_its_keys_carry(assembly: Assembly) -> None:
    assert {resource: cache.kind for resource, cache in assembly.caches.items()} == {
        SESSIONS: "AgentSession", PROFILES: "AgentProfile", PROVIDERS: "ModelProvider", BUDGETS: "RateBudget",
    }  # fmt: skip
