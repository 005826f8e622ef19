"""RateBudget for the engine: commits at once, figures once a second, and when time alone is a reason to look."""

from __future__ import annotations

import pytest

from stint.budgets.kind import BUDGETS, Budgets
from stint.engine.cache import ObjectCache
from stint.engine.controller import Look
from stint.engine.keys import Key
from stint.engine.plan import Plan
from unit.budgets.kit import CONCURRENCY_1, CONCURRENCY_2, COST_10_HOUR, NOW, SYSTEM, TEAM, Json, Leader, after, budget, outcome, session, settled

KEY = Key("RateBudget", SYSTEM, "team")
RATE = {"name": "rate", "resource": "sessions", "limit": "6", "window": "1m"}


class Place:
    """One budget in the cluster, and the controller's part that looks at it."""

    def __init__(self, *limits: Json, before: str = "", **spec: object) -> None:
        self.leader = Leader()
        self.cache = ObjectCache("RateBudget")
        self.version = 0
        self.put({})
        if before:
            self.leader.it.observe(session("before", settled={1: settled(before, end=0)}), NOW)
        self.leader.begin(budget(*limits, **spec))  # type: ignore[arg-type]
        self.kind = Budgets(self.cache, self.leader.it)

    def put(self, status: Json, **meta: object) -> None:
        self.version += 1
        metadata = {"namespace": SYSTEM, "name": "team", "uid": "b-1", "resourceVersion": str(self.version), "generation": 3, **meta}
        self.cache.put({"metadata": metadata, "spec": {}, "status": status})

    async def look(self, seconds: float = 0) -> Look | None:
        return await self.kind.look(KEY, after(seconds), None)

    async def plan(self, seconds: float = 0) -> Plan:
        look = await self.look(seconds)
        assert look is not None
        return look.plan

    async def write(self, seconds: float = 0) -> Plan:
        """What the plan says gets to the cluster."""
        plan = await self.plan(seconds)
        assert plan.status is not None, "there is nothing to write"
        self.put(dict(plan.status))
        self.leader.it.stands(TEAM, plan.status, after(seconds))
        return plan


async def led(*limits: Json, before: str = "", **spec: object) -> Place:
    """The epoch stands, and that was a while ago."""
    place = Place(*limits, before=before, **spec)
    await place.write(-60)
    return place


def due(plan: Plan) -> float | None:
    """In how many seconds from `NOW` it looks again."""
    return None if plan.look_again is None else (plan.look_again - NOW).total_seconds()


async def test_the_first_write_carries_the_epoch_and_is_bound_to_the_version_that_was_seen() -> None:
    place = Place(CONCURRENCY_1)
    look = await place.look()
    assert look is not None
    assert look.plan.status is not None
    assert (look.plan.status["epoch"], look.plan.status["observedGeneration"]) == (1, 3)
    assert (look.target.resource, look.target.kind, look.target.meta["resourceVersion"]) == (BUDGETS, "RateBudget", "1")


async def test_a_commit_is_written_at_once_however_short_ago_the_last_write_was() -> None:
    place = await led(CONCURRENCY_2)
    place.leader.ask("first")
    await place.write(0)
    place.leader.ask("second")
    status = (await place.write(0.1)).status
    assert status is not None
    assert [commit["uid"] for commit in status["commits"]] == ["first", "second"]


async def test_while_others_stand_in_line_admissions_are_written_together_twice_a_second() -> None:
    # given two that run and two in line
    place = await led(CONCURRENCY_2)
    for uid in ("a", "b", "c", "d", "e"):
        place.leader.ask(uid)
    await place.write(0)
    for uid in ("a", "b"):
        place.leader.start(uid)
    # when both places are free soon after, one by one
    place.leader.end("a")
    early = await place.plan(0.1)
    assert (early.status, due(early)) == (None, 0.5)
    place.leader.end("b")
    late = await place.write(0.5)
    # then
    assert late.status is not None
    assert [commit["uid"] for commit in late.status["commits"]] == ["c", "d"]


async def test_what_is_taken_back_and_admitted_again_before_the_status_was_written_starts_all_the_same() -> None:
    place = await led(CONCURRENCY_1)
    place.leader.ask("s")
    await place.write(0)
    place.leader.it.withdraw("s", NOW)
    assert place.leader.ask("s") is None
    place.leader.woken.clear()
    plan = await place.plan(0.1)
    item = place.cache.get(SYSTEM, "team")
    assert item is not None
    assert plan.status == item["status"], "there is nothing to write, and no answer to wait for"
    assert place.leader.woken == ["s"]
    assert outcome(place.leader.ask("s")) == "Admitted"


async def test_figures_alone_are_written_once_a_second() -> None:
    place = await led(CONCURRENCY_2)
    place.leader.ask("first")
    await place.write(0)
    place.leader.start("first")
    plan = await place.plan(0.4)
    assert (plan.status, due(plan)) == (None, 1.0)
    status = (await place.write(1)).status
    assert status is not None
    assert status["commits"] == []


async def test_a_look_that_finds_nothing_new_delays_no_later_write() -> None:
    place = await led(CONCURRENCY_2)
    plan = await place.plan(0)
    item = place.cache.get(SYSTEM, "team")
    assert item is not None
    assert plan.status == item["status"]
    place.leader.it.observe(session("s", settled={1: settled()}), NOW)
    place.leader.ask("s", attempt=2)
    place.leader.it.withdraw("s", NOW)
    assert (await place.plan(0.1)).status is not None


async def test_a_look_lets_in_whom_time_has_made_room_for() -> None:
    place = await led(RATE)
    place.leader.ask("first")
    place.leader.ask("second")
    plan = await place.plan(0)
    assert due(plan) == 10.0
    status = (await place.plan(10)).status
    assert status is not None
    assert [commit["uid"] for commit in status["commits"]] == ["first", "second"]


async def test_it_looks_again_when_what_was_spent_leaves_its_window_though_nobody_waits() -> None:
    place = await led(COST_10_HOUR, before="2")
    assert due(await place.plan(0)) == 3660.0
    status = (await place.plan(3660)).status
    assert status is not None
    assert [account["limits"][0]["spent"] for account in status["accounts"]] == ["0"]


async def test_without_usage_and_without_anybody_who_waits_nothing_is_due() -> None:
    place = await led(CONCURRENCY_1)
    assert due(await place.plan(0)) is None


async def test_a_percentage_that_is_crossed_is_an_event_once() -> None:
    place = await led(COST_10_HOUR, warnAtPercent=[80])
    place.leader.ask("s")
    place.leader.end("s", cost="8", now=NOW)
    plan = await place.write(1)
    assert [(event.reason, event.warning) for event in plan.events] == [("BudgetWarning", True)]
    assert (await place.plan(3)).events == ()


async def test_a_percentage_is_warned_of_once_in_every_account_also_in_those_that_the_status_does_not_show() -> None:
    place = await led({**CONCURRENCY_1, "limit": "2"}, per=["Namespace"], warnAtPercent=[50])
    for number in range(60):
        place.leader.ask(f"s{number}", f"ns-{number}")
    assert len((await place.write(1)).events) == 60
    place.leader.ask("more", "ns-0")
    assert (await place.write(3)).events == ()


async def test_a_percentage_that_was_left_is_warned_of_again_also_where_the_status_does_not_show_it() -> None:
    place = await led({**CONCURRENCY_1, "limit": "2"}, per=["Namespace"], warnAtPercent=[50])
    for number in range(60):
        place.leader.ask(f"s{number}", f"ns-{number}")
    await place.write(1)
    place.leader.it.withdraw("s9", NOW)
    assert (await place.write(3)).events == ()
    place.leader.ask("s9", "ns-9")
    assert [event.message.partition(":")[0] for event in (await place.write(5)).events] == ["account Namespace=ns-9"]


@pytest.mark.parametrize("how", ["gone", "never read"])
async def test_a_budget_that_is_not_enforced_is_not_written(how: str) -> None:
    place = await led(CONCURRENCY_1)
    if how == "gone":
        place.kind.vanished(KEY, "b-1")
    else:
        place.leader.it.remove_budget(TEAM, NOW)
    assert await place.look() is None


async def test_a_budget_whose_deletion_somebody_holds_up_goes_on_and_holds_up_no_leader() -> None:
    place = await led(CONCURRENCY_1)
    place.put({}, deletionTimestamp="2026-11-21T10:00:00Z")
    status = (await place.plan()).status
    assert status is not None
    assert status["epoch"] == 1


async def test_a_budget_that_was_created_again_is_written_at_once() -> None:
    place = await led(CONCURRENCY_1)
    place.leader.ask("s")
    place.leader.end("s")
    await place.write(0)
    place.leader.it.remove_budget(TEAM, NOW)
    assert await place.look(0.1) is None
    place.leader.it.put_budget(budget(CONCURRENCY_1), NOW, {})
    assert (await place.plan(0.2)).status is not None


def test_an_object_of_the_same_name_that_came_later_is_kept() -> None:
    place = Place(CONCURRENCY_1)
    place.kind.vanished(KEY, "another")
    assert place.cache.get(SYSTEM, "team") is not None


