"""Budgets in the life of sessions: who starts, who waits, what is written, and what a restart makes of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from simulation.api import BUDGETS, SESSIONS
from simulation.pod_status import Json
from simulation.story import Story
from simulation.world import NAMESPACE, SYSTEM, World
from stint.kube.errors import from_status
from stint.kube.resources import CONFIG_MAPS, EVENTS

BUSY_2: Json = {"limits": [{"name": "busy", "resource": "concurrency", "limit": "2"}]}
DAY: Json = {"name": "day", "resource": "cost", "limit": "1", "calendar": "Daily"}
DAY_1: Json = {"limits": [DAY], "reserve": {"cost": "0.5"}}
NAMES = tuple("abcdef")


def budget(world: World, spec: Json, *, name: str = "team", namespace: str = NAMESPACE) -> None:
    world.create(BUDGETS, name, spec, namespace=namespace)
    world.settle()


def status(world: World, name: str = "team", namespace: str = NAMESPACE) -> Json:
    found: Json = world.api.get(BUDGETS, namespace, name).get("status", {})
    return found


def limit(world: World, name: str = "team") -> Json:
    """The first limit of the first account."""
    found: Json = status(world, name)["accounts"][0]["limits"][0]
    return found


def working(world: World) -> int:
    return sum(pod["status"]["phase"] in ("Pending", "Running") for pod in world.cluster.pods())


def test_no_more_run_at_once_than_the_budget_allows_and_all_come_to_their_turn(story: Story) -> None:
    budget(story.world, BUSY_2)
    for name in NAMES:
        story.start(name)
    assert len(story.pods()) == 2
    assert [story.phase(name) for name in NAMES[2:]] == ["Waiting"] * 4
    most = 0

    def over() -> bool:
        nonlocal most
        most = max(most, working(story.world))
        return all(story.phase(name) == "Succeeded" for name in NAMES)

    story.go_on_until(over)
    assert most == 2


def test_who_waits_is_told_what_for_and_not_told_again_when_the_queue_moves(story: Story) -> None:
    budget(story.world, BUSY_2)
    for name in NAMES:
        story.start(name)
    waiting = story.status("f")
    assert waiting["waitingFor"] == {"kind": "RateBudget", "name": "team", "reason": "BudgetFull"}
    assert "2 of 2 running sessions" in next(each["message"] for each in waiting["conditions"] if each["type"] == "Ready")
    story.go_on_until(lambda: story.phase("a") == story.phase("b") == "Succeeded")
    assert story.status("f") == waiting
    assert story.phase("c") in ("", "None", "Running", "Waiting")


def test_a_commit_stands_in_the_budget_before_the_pod_is_created(story: Story) -> None:
    budget(story.world, BUSY_2)
    story.world.pass_time(2)
    before = len(story.world.api.writes)
    story.start("a")
    plurals = [write.resource.plural for write in story.world.api.writes[before:]]
    assert plurals.index("ratebudgets") < plurals.index("pods")
    assert [commit["attempt"] for commit in status(story.world)["commits"]] == [1]
    story.world.pass_time(2)
    assert status(story.world)["commits"] == []


def test_what_was_spent_holds_sessions_until_the_day_is_over(story: Story) -> None:
    story.cost = Decimal("0.4")
    budget(story.world, DAY_1)
    for name in NAMES[:4]:
        story.start(name)
    story.go_on_until(lambda: sum(story.phase(name) == "Succeeded" for name in NAMES[:4]) == 2)
    story.world.pass_time(2)
    assert story.pods() == ["a-1", "b-1"]
    assert limit(story.world)["spent"] == "0.8"
    assert story.status("c")["waitingFor"]["until"].endswith("T00:00:00Z")
    story.world.pass_time(24 * 3600)
    story.go_on_until(lambda: all(story.phase(name) == "Succeeded" for name in NAMES[:4]))
    story.world.pass_time(2)
    assert limit(story.world)["spent"] == "0.8"


def test_the_reservation_is_the_limit_of_the_gateway(story: Story) -> None:
    budget(story.world, DAY_1)
    session = story.start("a")
    (pod,) = story.world.cluster.pods()
    assert story.world.cluster.life(pod).limit == Decimal("0.5")
    assert session["metadata"]["name"] == "a"


def test_a_session_that_has_used_its_reserve_is_held_until_its_own_limit_is_raised(story: Story) -> None:
    story.cost = Decimal("0.5")
    budget(story.world, DAY_1)
    story.ends[("a", 1)] = None
    story.start("a")
    story.go_on_until(lambda: any(story.world.cluster.life(pod).requests for pod in story.world.cluster.pods()))
    (pod,) = story.world.cluster.pods()
    assert not story.world.cluster.serve(pod, Decimal("0.1"))
    story.world.cluster.end(pod, '{"version": 1, "attempt": 1, "outcome": "Failed"}', story.world.loop.clock())
    story.look()
    assert [condition["reason"] for condition in story.status()["conditions"] if condition["type"] == "Stalled"] == ["ReservationUsed"]
    assert story.phase() == "Suspended"
    story.world.pass_time(3600)
    assert len(story.outcomes()) == 1
    story.world.edit("a", limits={"cost": "0.8"})
    story.look()
    assert "a-2" in story.pods()


def test_a_session_that_asks_for_more_than_the_whole_limit_is_told_so_and_goes_on_when_the_budget_is_raised(story: Story) -> None:
    budget(story.world, DAY_1)
    story.start("a", limits={"cost": "7"})
    assert story.phase() == "Stalled"
    assert "more than the whole limit of 1" in next(each["message"] for each in story.status()["conditions"] if each["type"] == "Stalled")
    story.world.api.patch(BUDGETS, NAMESPACE, "team", {"spec": {"limits": [{**DAY, "limit": "10"}]}})
    story.look()
    assert story.pods() == ["a-1"]


def test_a_budget_that_rejects_fails_whom_it_has_no_room_for(story: Story) -> None:
    budget(story.world, BUSY_2 | {"atLimit": "Reject"})
    for name in NAMES[:3]:
        story.start(name)
    assert story.phase("c") == "Failed"
    assert story.status("c")["result"]["error"]["class"] == "BudgetRejected"
    story.go_on_to_the_end()


def test_a_budget_that_warns_keeps_nobody_and_says_so(story: Story) -> None:
    budget(story.world, BUSY_2 | {"atLimit": "Warn"})
    for name in NAMES[:3]:
        story.start(name)
    assert len(story.pods()) == 3
    assert [event["reason"] for event in story.world.api.of(EVENTS)] == ["BudgetWarning"]


def test_a_budget_of_the_system_namespace_counts_everybody_one_of_another_namespace_nobody_here(story: Story) -> None:
    budget(story.world, {"limits": [{"name": "busy", "resource": "concurrency", "limit": "1"}]}, namespace="team-b")
    story.start("a")
    story.start("b")
    assert len(story.pods()) == 2
    budget(story.world, BUSY_2, namespace=SYSTEM)
    story.start("c")
    assert len(story.pods()) == 2
    assert story.phase("c") == "Waiting"


def test_a_budget_that_comes_while_sessions_run_counts_them(story: Story) -> None:
    for name in NAMES[:3]:
        story.start(name)
    budget(story.world, BUSY_2)
    story.start("d")
    assert len(story.pods()) == 3
    assert limit(story.world)["reserved"] == "3"
    story.go_on_to_the_end()


def test_a_budget_that_is_deleted_lets_everybody_go_on(story: Story) -> None:
    budget(story.world, BUSY_2)
    for name in NAMES:
        story.start(name)
    story.world.api.delete(BUDGETS, NAMESPACE, "team")
    story.look()
    assert len(story.pods()) == 6


def test_a_session_that_is_suspended_while_it_waits_leaves_the_queue(story: Story) -> None:
    budget(story.world, BUSY_2)
    for name in NAMES[:3]:
        story.start(name)
    story.world.edit("c", suspend=True)
    story.look()
    assert status(story.world)["waiting"] in (0, 1)
    story.world.pass_time(2)
    assert status(story.world)["waiting"] == 0
    story.go_on_until(lambda: story.phase("a") == story.phase("b") == "Succeeded")
    assert story.phase("c") == "Suspended"
    story.world.edit("c", suspend=False)
    story.go_on_to_the_end()


def test_a_status_that_was_written_long_ago_is_put_right_when_somebody_leaves_the_queue(story: Story) -> None:
    budget(story.world, BUSY_2)
    for name in NAMES[:3]:
        story.start(name)
    story.world.pass_time(60)
    assert status(story.world)["waiting"] == 1
    story.world.edit("c", suspend=True)
    story.look()
    story.world.pass_time(2)
    assert status(story.world)["waiting"] == 0


def test_a_session_whose_end_nobody_told_because_another_took_its_name_holds_no_room(story: Story) -> None:
    world = story.world
    budget(world, BUSY_2)
    for name in NAMES[:3]:
        story.start(name)
    world.api.delete(SESSIONS, NAMESPACE, "a")
    world.create(SESSIONS, "a", {"prompt": "x", "suspend": True})
    world.break_watch(SESSIONS, expired=True)
    world.pass_time(30)
    world.api.collect_garbage()
    assert "c-1" in story.pods()


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lost_answer"])
@pytest.mark.parametrize("number", range(24))
def test_killed_at_any_write_it_never_exceeds_the_budget_and_everybody_comes_to_an_end(story: Story, fault: str, number: int) -> None:
    world = story.world
    budget(world, BUSY_2)
    most = 0
    for name in NAMES[:4]:
        world.create(SESSIONS, name, {"prompt": "x"})
    setattr(world.client, fault, number)

    def over() -> bool:
        nonlocal most
        most = max(most, working(world))
        return all(story.phase(name) == "Succeeded" for name in NAMES[:4])

    story.go_on_until(over)
    assert (world.crashes == 1) if fault != "lost_answer" else (world.client.lost_answer is None), "the fault never happened"
    assert most == 2
    assert [len(story.outcomes(name)) for name in NAMES[:4]] == [1, 1, 1, 1]
    world.pass_time(2)
    assert status(world)["commits"] == []
    assert limit(world)["reserved"] == "0"


def delete(world: World, name: str) -> None:
    world.api.delete(SESSIONS, NAMESPACE, name)


def test_what_a_deleted_session_used_stays_spent_also_after_a_restart(story: Story) -> None:
    world = story.world
    story.cost = Decimal("0.4")
    budget(world, DAY_1)
    story.start("a")
    story.start("b")
    story.go_on_until(lambda: story.phase("a") == story.phase("b") == "Succeeded")
    for name in "ab":
        delete(world, name)
    world.settle()
    world.pass_time(2)
    assert list(world.api.of(SESSIONS)) == []
    assert limit(world)["spent"] == "0.8"
    world.restart()
    world.settle()
    story.start("c")
    world.pass_time(2)
    assert limit(world)["spent"] == "0.8"
    assert story.phase("c") == "Waiting"


def has_used_a_third(story: Story) -> World:
    """Session a runs on, and its one request has cost 0.3 of the day's 1 USD."""
    world = story.world
    story.cost = Decimal("0.3")
    budget(world, DAY_1)
    story.ends[("a", 1)] = None
    story.start("a")
    story.go_on_until(lambda: any(world.cluster.life(pod).requests for pod in world.cluster.pods()))
    return world


def test_a_running_session_that_is_deleted_is_settled_before_it_goes(story: Story) -> None:
    world = has_used_a_third(story)
    delete(world, "a")
    story.go_on_until(lambda: not list(world.api.of(SESSIONS)))
    world.pass_time(2)
    assert limit(world)["spent"] == "0.3"
    assert limit(world)["reserved"] == "0"


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lost_answer"])
@pytest.mark.parametrize("number", range(8))
def test_killed_at_any_write_of_a_deletion_its_usage_is_counted_once(story: Story, fault: str, number: int) -> None:
    world = has_used_a_third(story)
    world.pass_time(2)
    delete(world, "a")
    setattr(world.client, fault, number)
    story.go_on_until(lambda: not list(world.api.of(SESSIONS)))
    world.pass_time(5)
    unseen = fault == "crash_before" and number == 1  # its pod ended while nobody watched: all that was reserved for it is charged
    assert limit(world)["spent"] == ("0.5" if unseen else "0.3")
    assert limit(world)["reserved"] == "0"


def test_a_session_whose_usage_cannot_be_written_down_goes_after_five_minutes_with_an_event(story: Story) -> None:
    world = story.world
    budget(world, DAY_1)
    story.start("a")
    story.go_on_until(lambda: story.phase("a") == "Succeeded")
    world.api.rules.append(lambda resource, item: from_status(403, {"reason": "Forbidden", "message": "quota"}) if resource == CONFIG_MAPS else None)
    delete(world, "a")
    world.settle()
    assert len(list(world.api.of(SESSIONS))) == 1
    world.pass_time(299)
    assert len(list(world.api.of(SESSIONS))) == 1
    world.pass_time(2)
    assert list(world.api.of(SESSIONS)) == []
    assert "UsageNotCarried" in [event["reason"] for event in world.api.of(EVENTS)]


def test_sessions_that_no_budget_counts_are_held_by_nothing(story: Story) -> None:
    session = story.start("a")
    assert "finalizers" not in story.world.session("a")["metadata"]
    assert session["metadata"]["name"] == "a"
    budget(story.world, BUSY_2)
    story.start("b")
    assert "finalizers" not in story.world.session("b")["metadata"]


def spent_while_running(story: Story, when: str) -> None:
    """Session a runs, and the one answer that b gets costs all the day's money."""
    story.cost = Decimal("0.1")
    day = {"name": "day", "resource": "cost", "limit": "1", "calendar": "Daily"}
    budget(story.world, {"limits": [day], "reserve": {"cost": "0.2"}, "whenSpent": when})
    story.ends[("a", 1)] = None
    story.start("a", limits={"cost": "0.3"})
    story.go_on_until(lambda: any(story.world.cluster.life(pod).requests for pod in story.world.cluster.pods()))
    story.cost = Decimal(1)
    story.start("b")
    story.go_on_to("Succeeded", "b")
    story.world.pass_time(2)


def test_a_budget_that_suspends_when_spent_frees_the_pod_and_goes_on_after_the_reset(story: Story) -> None:
    spent_while_running(story, "Suspend")
    story.go_on_until(lambda: story.phase("a") == "Waiting")
    assert [(entry["outcome"], entry["reason"]) for entry in story.status("a")["history"]] == [("Suspended", "BudgetSpent")]
    assert story.status("a")["waitingFor"]["until"].endswith("T00:00:00Z")
    assert working(story.world) == 0
    story.world.pass_time(24 * 3600)
    story.go_on_to("Succeeded", "a")


def test_a_budget_that_stops_when_spent_ends_what_runs(story: Story) -> None:
    spent_while_running(story, "Stop")
    story.go_on_until(lambda: story.phase("a") == "Failed")
    assert story.status("a")["result"]["error"]["class"] == "BudgetSpent"


def test_a_budget_that_continues_lets_everybody_end(story: Story) -> None:
    spent_while_running(story, "Continue")
    story.world.pass_time(60)
    assert story.phase("a") == "Running"


@pytest.mark.parametrize("number", range(6))
def test_a_pod_whose_creation_was_not_answered_keeps_its_room_also_when_its_session_is_suspended_meanwhile(story: Story, number: int) -> None:
    world = story.world
    budget(world, {"limits": [{"name": "busy", "resource": "concurrency", "limit": "1"}]})
    world.create(SESSIONS, "a", {"prompt": "x"})
    world.deliver(SESSIONS)
    world.client.lost_answer = number
    world.work()
    world.edit("a", suspend=True)
    world.create(SESSIONS, "b", {"prompt": "x"})
    world.deliver(SESSIONS)
    for _ in range(3):
        world.work()
        assert working(world) <= 1
        world.pass_time(1)
    story.go_on_until(lambda: story.phase("b") == "Succeeded")
    assert story.phase("a") == "Suspended"
