"""A replica that stands by: it knows everything, does nothing, and what it knows is right when it begins to lead."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from simulation.unopposed import Unopposed
from stint.assembly import FILL_RETRY, Assembly
from stint.engine.leadership import LeadershipLost
from stint.kube.errors import NotFound, Unreachable
from stint.kube.resources import PODS
from stint.profiles.kind import PROFILES
from stint.sessions.expiry import SESSIONS
from stint.settings import Settings
from unit.assembly.kit import Started, pod, profile, with_assembly
from unit.cluster_kit import Json
from unit.engine.kit import thing


class Candidate(Unopposed):
    """Leads when it is told to, and loses when it is told to."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.won.clear()
        self.lost = asyncio.Event()
        self.log = log

    async def run(self) -> None:
        await self.lost.wait()
        raise LeadershipLost("the Lease is held by another")

    async def release(self) -> None:
        self.log.append("released")


def standby(started: Started, **items: list[Json]) -> Candidate:
    """An assembly that stands by, in a cluster that has these objects."""
    candidate = Candidate([])
    started.cluster.items.update(items)
    started.assembly = Assembly(Settings(workers=2), started.cluster, leadership=candidate)
    started.assembly.start()
    return candidate


def written(started: Started) -> list[str]:
    return [name for _, name, _ in started.cluster.statuses]


def test_a_standby_is_ready_and_decides_nothing_until_it_leads() -> None:
    async def scenario(started: Started) -> None:
        candidate = standby(started, agentprofiles=[profile()])
        await asyncio.sleep(60)
        assembly = started.assembly
        assert (await assembly.health.readyz(None)).status == 200  # type: ignore[arg-type]
        assert (await assembly.health.healthz(None)).status == 200  # type: ignore[arg-type]
        assert (assembly.acting, written(started)) == (False, [])
        candidate.won.set()
        await asyncio.sleep(0.1)
        assert (assembly.acting, written(started)) == (True, ["coder"])

    with_assembly(scenario)


def test_nobody_leads_whose_caches_are_not_filled() -> None:
    async def scenario(started: Started) -> None:
        started.cluster.gates["pods"] = asyncio.Event()
        candidate = standby(started)
        candidate.lost.set()
        await asyncio.sleep(60)
        assert started.assembly.failure is None, "it does not even stand"
        started.cluster.gates["pods"].set()
        await started.assembly.stop_flag.wait()

    with_assembly(scenario)


def test_what_no_watch_has_told_is_known_before_anything_is_decided() -> None:
    async def scenario(started: Started) -> None:
        candidate = standby(started, agentsessions=[thing("fix", 50, "u-1"), thing("old", 51, "u-2")], agentprofiles=[profile()])
        await asyncio.sleep(1)
        cluster, assembly = started.cluster, started.assembly
        cluster.version = 200
        cluster.items.update(agentsessions=[thing("fix", 150, "u-1")], pods=[pod(160)], agentprofiles=[])
        candidate.won.set()
        await asyncio.sleep(0.5)
        assert not assembly.acting
        await asyncio.sleep(1)
        assert assembly.acting
        assert [one.version for one in assembly.pods.of("u-1")] == [160]
        assert [key.name for key in assembly.caches[SESSIONS]] == ["fix"]
        assert len(assembly.caches[PROFILES]) == 0

    with_assembly(scenario)


@pytest.mark.parametrize("failure", [Unreachable("lost"), NotFound(404, "NotFound", "the CRD is being replaced")])
def test_a_leader_that_cannot_ask_what_it_missed_waits(failure: Exception) -> None:
    async def scenario(started: Started) -> tuple[bool, bool]:
        candidate = standby(started)
        await asyncio.sleep(1)
        started.cluster.trouble["agentprofiles"] = [failure]
        candidate.won.set()
        await asyncio.sleep(FILL_RETRY / 2)
        before = started.assembly.acting
        await asyncio.sleep(FILL_RETRY)
        return before, started.assembly.acting

    assert with_assembly(scenario) == (False, True)


def test_budgets_are_not_opened_by_a_standby() -> None:
    async def scenario(started: Started) -> tuple[bool, bool]:
        limits = [{"name": "busy", "resource": "concurrency", "limit": "2"}]
        metadata = {"namespace": "team-a", "name": "team", "uid": "b-1", "resourceVersion": "10", "generation": 1}
        candidate = standby(started, ratebudgets=[{"metadata": metadata, "spec": {"limits": limits}}])
        await asyncio.sleep(1)
        started.cluster.events["ratebudgets"].put_nowait(
            ("MODIFIED", {"metadata": {**metadata, "resourceVersion": "101"}, "spec": {"limits": limits}, "status": {"epoch": 7}})
        )
        await asyncio.sleep(1)
        before = started.assembly.accounting.desk.open
        candidate.won.set()
        await asyncio.sleep(2)
        return before, started.assembly.accounting.desk.open

    assert with_assembly(scenario) == (False, True)


def test_who_has_lost_the_lease_ends_with_a_failure_so_that_it_starts_anew() -> None:
    async def scenario(started: Started) -> BaseException | None:
        candidate = standby(started)
        candidate.won.set()
        await asyncio.sleep(1)
        candidate.lost.set()
        await started.assembly.stop_flag.wait()
        return started.assembly.failure

    failure = with_assembly(scenario)
    assert isinstance(failure, ExceptionGroup)
    assert [str(each) for each in failure.exceptions] == ["the Lease is held by another"]


def test_the_lease_is_released_when_nothing_works_any_more() -> None:
    async def scenario(started: Started) -> list[str]:
        candidate = standby(started)
        candidate.won.set()
        await asyncio.sleep(1)
        task = started.assembly._task
        assert task is not None
        task.add_done_callback(lambda _: candidate.log.append("ended"))
        await started.assembly.stop()
        return list(candidate.log)

    assert with_assembly(scenario) == ["ended", "released"]


def ended(version: int, **status: Any) -> Json:
    state = {"terminated": {"exitCode": 0, "message": "its last words", "finishedAt": "2026-11-21T10:00:00Z"}}
    statuses = [{"name": "agent", "state": state, "restartCount": 0, "image": "", "imageID": "", "ready": False}]
    item = pod(version, phase="Succeeded")
    item["status"] |= {"containerStatuses": statuses, **status}
    return item


def test_a_standby_keeps_the_last_words_of_a_pod_until_the_leader_has_settled_it() -> None:
    async def scenario(started: Started) -> None:
        standby(started, agentsessions=[thing("fix", 50, "u-1")])
        await asyncio.sleep(1)
        tell, pods = started.cluster.events, started.assembly.pods
        tell[PODS.plural].put_nowait(("ADDED", ended(101)))
        tell[PODS.plural].put_nowait(("DELETED", ended(102)))
        tell[SESSIONS.plural].put_nowait(("MODIFIED", thing("fix", 103, "u-1", status={"phase": "Running"})))
        await asyncio.sleep(1)
        assert [(one.gone, one.containers[0].message) for one in pods.of("u-1")] == [(True, "its last words")]
        tell[SESSIONS.plural].put_nowait(("MODIFIED", thing("fix", 104, "u-1", status={"history": [{"attempt": 1}]})))
        await asyncio.sleep(1)
        assert pods.of("u-1") == []

    with_assembly(scenario)


def test_a_standby_gathers_no_keys_of_objects_that_come_and_go() -> None:
    async def scenario(started: Started) -> None:
        standby(started, agentsessions=[thing("old", 50, "u-1")])
        await asyncio.sleep(1)
        for version in range(101, 111):
            new = thing(f"s{version}", version, f"u-{version}")
            for change in ("ADDED", "DELETED"):
                started.cluster.events[SESSIONS.plural].put_nowait((change, new))
        await asyncio.sleep(1)
        assert len(started.assembly.queue) == 0

    with_assembly(scenario)
