"""Budgets in the controller that is put together: when the desk opens, what it is told, and when the process ends."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from simulation.pod_status import Json
from stint.assembly import Assembly
from stint.budgets.admissions import Superseded
from stint.budgets.budget import BudgetKey, read_budget
from stint.budgets.kept import part_manifest
from stint.budgets.kind import BUDGETS
from stint.engine.keys import Key
from stint.kube.resources import PODS
from stint.sessions.expiry import SESSIONS
from stint.settings import Settings
from unit.assembly.kit import line
from unit.budgets.kit import NOW, Leader, settled
from unit.budgets.kit import session as subject
from unit.cluster_kit import SmallCluster
from unit.engine.kit import key
from unit.sessions.builders import pod, running_pod, session

TEAM = BudgetKey("team-a", "team")
TEAM_KEY = Key("RateBudget", "team-a", "team")


def budget(version: int = 300, limit: Any = "2", *, uid: str = "b-1", name: str = "team", status: Json | None = None, **spec: Any) -> Json:
    metadata = {"namespace": "team-a", "name": name, "uid": uid, "resourceVersion": str(version), "generation": 1}
    limits = [{"name": "busy", "resource": "concurrency", "limit": limit}]
    return {"metadata": metadata, "spec": {"limits": limits, **spec}, "status": status or {}}


def costly(limit: Any, version: int = 300) -> Json:
    limits = [{"name": "day", "resource": "cost", "limit": limit, "calendar": "Daily"}]
    return budget(version) | {"spec": {"limits": limits, "reserve": {"cost": "1"}}}


def reserved(assembly: Assembly) -> list[int]:
    return [int(meter.reserved) for account in assembly.accounting.desk.admissions.ledger.accounts(TEAM) for meter in account.meters]


@pytest.fixture
async def assembly() -> Assembly:
    """Everything is listed: a session whose pod runs, and no budget. Nothing is in line."""
    assembly = Assembly(Settings(), SmallCluster())
    assembly.changed(SESSIONS, session(version=100), gone=False)
    assembly.pods.take(running_pod(version=101))
    await assembly.accounting.open()
    await line(assembly)
    return assembly


async def opened(assembly: Assembly, **more: Any) -> Assembly:
    assembly.changed(BUDGETS, budget(**more), gone=False)
    await line(assembly)
    return assembly


async def test_without_a_budget_the_desk_is_closed(assembly: Assembly) -> None:
    assembly.feed(PODS, pod(version=150))
    assembly.feed(SESSIONS, session(version=151))
    assert not assembly.accounting.desk.open
    assert len(list(assembly.accounting.desk.admissions.ledger.budgets())) == 0


async def test_a_budget_that_appears_opens_the_desk_counts_what_runs_and_is_written(assembly: Assembly) -> None:
    assembly.changed(BUDGETS, budget(), gone=False)
    assert assembly.accounting.desk.open
    assert reserved(assembly) == [1]
    assert TEAM_KEY in await line(assembly)


async def test_budgets_that_are_listed_at_the_start_are_read_when_all_else_is_there() -> None:
    assembly = Assembly(Settings(), SmallCluster())
    assembly.changed(BUDGETS, budget(), gone=False)
    assert not assembly.accounting.desk.open


async def test_another_budget_is_read_when_it_comes(assembly: Assembly) -> None:
    await opened(assembly)
    assembly.changed(BUDGETS, budget(301, uid="b-2", name="more"), gone=False)
    assert BudgetKey("team-a", "more") in assembly.accounting.desk.admissions.ledger


async def test_an_edited_budget_limits_from_then_on(assembly: Assembly) -> None:
    await opened(assembly)
    assembly.changed(BUDGETS, budget(301, "5"), gone=False)
    assert assembly.accounting.desk.admissions.ledger.budget(TEAM).limits[0].amount == 5


async def test_an_unreadable_budget_keeps_the_version_before_and_says_so(assembly: Assembly, caplog: pytest.LogCaptureFixture) -> None:
    await opened(assembly)
    with caplog.at_level(logging.ERROR):
        assembly.changed(BUDGETS, budget(301, ["many"]), gone=False)
    assert assembly.accounting.desk.admissions.ledger.budget(TEAM).limits[0].amount == 2
    assert "RateBudget team-a/team is not enforced as it is now" in caplog.text


async def test_an_unreadable_budget_keeps_no_other_from_being_enforced(assembly: Assembly) -> None:
    await opened(assembly, limit=["many"])
    assert TEAM not in assembly.accounting.desk.admissions.ledger
    assembly.changed(BUDGETS, budget(301, uid="b-2", name="more"), gone=False)
    assembly.changed(BUDGETS, budget(302), gone=False)
    assert {each.key.name for each in assembly.accounting.desk.admissions.ledger.budgets()} == {"team", "more"}


async def test_a_deleted_budget_limits_nothing(assembly: Assembly) -> None:
    await opened(assembly)
    assembly.changed(BUDGETS, budget(301), gone=True)
    assert TEAM not in assembly.accounting.desk.admissions.ledger


async def test_a_budget_that_took_anothers_name_unseen_begins_anew(assembly: Assembly) -> None:
    await opened(assembly)
    assembly.feed(BUDGETS, budget(301, status={"epoch": 1, "commits": []}))
    assembly.changed(BUDGETS, budget(302, "7", uid="b-2"), gone=False)
    assert assembly.accounting.desk.admissions.ledger.budget(TEAM).limits[0].amount == 7
    assert reserved(assembly) == [1]


async def test_a_pod_that_we_have_just_created_is_counted_before_any_watch_tells(assembly: Assembly) -> None:
    assembly.changed(SESSIONS, session(version=110, name="other", uid="u-2"), gone=False)
    await opened(assembly)
    assembly.feed(PODS, pod(name="other", owner="u-2", uid="p-2", version=301))
    assert reserved(assembly) == [2]


async def test_a_session_that_goes_frees_its_room(assembly: Assembly) -> None:
    await opened(assembly)
    assembly.changed(SESSIONS, session(version=400), gone=True)
    assert reserved(assembly) == [0]


async def test_an_answer_to_our_own_write_lets_those_start_who_waited_for_it(assembly: Assembly) -> None:
    await opened(assembly)
    assert assembly.accounting.desk.admissions.urgent(TEAM)
    assembly.feed(BUDGETS, budget(301, status={"epoch": 1, "commits": []}))
    assert not assembly.accounting.desk.admissions.urgent(TEAM)


@pytest.mark.parametrize("by", ["watch", "answer"])
async def test_the_epoch_of_another_controller_ends_the_process(assembly: Assembly, by: str) -> None:
    await opened(assembly)
    item = budget(301, status={"epoch": 2})
    with pytest.raises(Superseded):
        assembly.changed(BUDGETS, item, gone=False) if by == "watch" else assembly.feed(BUDGETS, item)


# Namespaces


def namespace(name: str = "team-a", **labels: str) -> Json:
    return {"metadata": {"name": name, "uid": f"uid-of-{name}", "labels": labels}}


async def test_the_labels_of_a_namespace_are_known_and_its_sessions_looked_at_when_they_change(assembly: Assembly) -> None:
    await opened(assembly)
    assembly.changed(SESSIONS, session(version=120, name="elsewhere", namespace="team-b", uid="u-9"), gone=False)
    await line(assembly)
    namespaces = assembly.accounting
    namespaces.take(namespace(tier="gold"))
    assert assembly.accounting.desk.namespaces == {"team-a": {"tier": "gold"}}
    assert await line(assembly) == [key("fix-test")]
    namespaces.take(namespace(tier="gold"))
    assert await line(assembly) == [], "nothing has changed"
    namespaces.take(namespace(tier="lead"))
    assert await line(assembly) == [key("fix-test")]


async def test_while_the_desk_is_closed_labels_are_known_but_nobody_is_looked_at(assembly: Assembly) -> None:
    assembly.accounting.take(namespace(tier="gold"))
    assert assembly.accounting.desk.namespaces == {"team-a": {"tier": "gold"}}
    assert await line(assembly) == []
    selector = {"namespaces": {"matchLabels": {"tier": "gold"}}}
    await opened(assembly, selector=selector)
    assert reserved(assembly) == [1]


async def test_a_namespace_that_goes_is_forgotten(assembly: Assembly) -> None:
    namespaces = assembly.accounting
    namespaces.take(namespace(tier="gold"))
    namespaces.take(namespace(tier="gold"), gone=True)
    assert assembly.accounting.desk.namespaces == {}


async def test_what_a_budget_carries_over_counts_also_if_it_can_be_read_only_later() -> None:
    # given a budget that cannot be read when the leader begins, and what deleted sessions used of it
    spent = Leader().lead(read_budget(costly("10")))
    spent.it.observe(subject("gone", "team-a", settled={1: settled("7", end=0)}), NOW)
    spent.it.gone("gone", NOW)
    cluster = SmallCluster()
    documents = spent.it.unwritten(TEAM, NOW)
    cluster.items["configmaps"] = [part_manifest(costly("10"), part, document) for part, document in documents.items()]
    assembly = Assembly(Settings(), cluster, clock=lambda: NOW)
    assembly.changed(BUDGETS, costly(["many"]), gone=False)
    await assembly.accounting.open()
    assert TEAM not in assembly.accounting.desk.admissions.ledger
    # when it is mended
    assembly.changed(BUDGETS, costly("10", version=301), gone=False)
    # then
    (account,) = assembly.accounting.desk.admissions.ledger.accounts(TEAM)
    assert [str(meter.spent_at(NOW.timestamp())) for meter in account.meters] == ["7"]
