"""Providers that fail, hang and come back: sessions wait, one tries, all of them end; and what a circuit has learnt survives a restart."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulation import pod_status
from simulation.api import PROVIDERS, SESSIONS
from simulation.outage import FAILURES, Outage
from simulation.world import NAMESPACE, World
from stint.kube.resources import EVENTS


@pytest.fixture
def outage(world: World) -> Outage:
    return Outage(world)


def events(outage: Outage) -> list[str]:
    return [one["reason"] for one in outage.world.api.of(EVENTS) if one["involvedObject"]["kind"] == "ModelProvider"]


def let_it_open(outage: Outage, sessions: int = 12, retries: int = 1) -> None:
    for number in range(sessions):
        outage.start(f"s{number}", retry={"limit": retries})
        outage.look()
        outage.step(1)
    assert outage.circuits() == ["Open"]


def test_it_opens_after_so_many_failures_and_no_further_session_starts(outage: Outage) -> None:
    let_it_open(outage, retries=0)
    assert outage.refused <= FAILURES + 2
    before = outage.refused
    for _ in range(8):
        outage.step(2)
    assert outage.refused == before
    assert outage.while_open == 0
    waiting = [one["status"]["waitingFor"] for one in outage.sessions() if "waitingFor" in one.get("status", {})]
    assert {(one["kind"], one["name"], one["reason"]) for one in waiting} == {("ModelProvider", "default", "CircuitOpen")}


def test_sessions_that_wait_cost_no_writes(outage: Outage) -> None:
    let_it_open(outage, retries=0)
    for number in range(25):
        outage.start(f"w{number}")
    outage.look()
    before = len(outage.world.api.writes)
    outage.world.pass_time(5)
    assert len(outage.world.api.writes) == before
    for _ in range(20):
        outage.step(20)
    after = [write.name for write in outage.world.api.writes[before:] if write.resource == SESSIONS]
    assert len(set(after)) <= 1, "only the one that tries is written to"


def test_one_tries_and_when_it_is_answered_all_go_on_without_having_used_up_a_retry(outage: Outage) -> None:
    let_it_open(outage)
    for _ in range(20):
        outage.step(20)
    outage.kind = ""
    outage.go_on_to_the_end()
    assert {one["status"]["phase"] for one in outage.sessions()} == {"Succeeded"}
    assert outage.circuits() == ["Closed"]
    found = events(outage)
    assert found.count("CircuitOpen") == found.count("CircuitHalfOpen") >= 2
    assert found.count("CircuitClosed") == 2, "of the provider, and of model and credential"


def test_an_hour_of_outage_costs_a_bounded_number_of_requests_and_ends_no_session(outage: Outage) -> None:
    let_it_open(outage, 20)
    before = outage.refused
    for _ in range(180):
        outage.step(20)
    assert outage.refused - before <= 3600 / 120 + 4
    assert all("completionTime" not in one.get("status", {}) for one in outage.sessions())
    outage.kind = ""
    outage.go_on_to_the_end()
    assert {one["status"]["phase"] for one in outage.sessions()} == {"Succeeded"}


def test_a_probe_is_decided_at_its_first_good_answer_and_not_at_its_end(outage: Outage) -> None:
    let_it_open(outage)
    outage.kind = ""
    outage.world.pass_time(31)
    outage.look()
    [probe] = outage.live()
    for _ in range(3):
        outage.step(0)
    assert outage.circuits() == ["Closed"]
    assert probe["metadata"]["uid"] in {pod["metadata"]["uid"] for pod in outage.live()}, "it works on"


@pytest.mark.parametrize("what", ["delete", "suspend"])
def test_a_probe_that_goes_away_leaves_its_place_to_the_next(outage: Outage, what: str) -> None:
    let_it_open(outage)
    outage.world.pass_time(31)
    outage.look()
    [probe] = outage.live()
    name = probe["metadata"]["labels"]["stint.dev/session"]
    if what == "delete":
        outage.world.api.delete(SESSIONS, NAMESPACE, name)
        outage.world.api.collect_garbage()
    else:
        outage.world.edit(name, suspend=True)
    outage.kind = ""
    for _ in range(6):
        outage.step(1)
        outage.world.api.collect_garbage()
    assert outage.circuits() == ["Closed"]


def test_a_restart_keeps_the_circuit_open(outage: Outage) -> None:
    let_it_open(outage)
    outage.world.restart()
    outage.look()
    outage.start("late")
    for _ in range(4):
        outage.step(1)
    assert outage.while_open == 0
    assert outage.world.session("late")["status"]["waitingFor"]["reason"] == "CircuitOpen"


def test_failures_before_a_restart_count_once(outage: Outage) -> None:
    for number in range(FAILURES - 1):
        outage.start(f"s{number}", retry={"limit": 0})
        for _ in range(4):
            outage.step(1)
    assert outage.circuits() == []
    outage.world.restart()
    outage.look()
    outage.world.restart()
    outage.look()
    assert outage.circuits() == []
    outage.start("last", retry={"limit": 0})
    for _ in range(4):
        outage.step(1)
    assert outage.circuits() == ["Open"]


def test_after_it_has_closed_old_failures_do_not_open_it_again_at_a_restart(outage: Outage) -> None:
    let_it_open(outage)
    outage.kind = ""
    outage.world.pass_time(31)
    outage.go_on_to_the_end()
    outage.world.restart()
    outage.look()
    assert outage.circuits() == ["Closed"]


def test_a_bad_key_holds_its_own_team_only_and_at_once(outage: Outage) -> None:
    outage.kind = "AuthFailed"
    outage.start("first")
    for _ in range(4):
        outage.step(1)
    assert outage.world.session("first")["status"]["phase"] == "Failed"
    assert outage.circuits("Credential") == ["Open"]
    assert outage.circuits() == []
    outage.start("second")
    outage.look()
    assert outage.world.session("second")["status"]["waitingFor"]["reason"] == "CircuitOpen"


def test_a_bad_key_of_one_team_stops_no_other_team_of_a_shared_provider(world: World) -> None:
    world.create_secret()
    world.create_secret(namespace="team-b")
    world.create(PROVIDERS, "default", {}, namespace="stint-system")
    world.settle()
    world.create(SESSIONS, "a", {"prompt": "x", "workspace": {"ephemeral": True}})
    for _ in range(4):
        world.settle()
        for pod in world.cluster.step(world.loop.clock()):
            world.cluster.refuse(pod, "AuthFailed", world.loop.clock(), 401)
    world.settle()
    status = world.api.get(PROVIDERS, "stint-system", "default")["status"]
    assert [(one["scope"], one["namespace"], one["state"]) for one in status["circuits"]] == [("Credential", NAMESPACE, "Open")]
    world.create(SESSIONS, "b", {"prompt": "x", "workspace": {"ephemeral": True}}, namespace="team-b")
    world.settle()
    assert [pod["metadata"]["namespace"] for pod in world.cluster.pods() if pod["status"]["phase"] == "Pending"] == ["team-b"]


def test_a_users_mistakes_open_nothing(outage: Outage) -> None:
    outage.kind = ""
    for number in range(10):
        outage.start(f"s{number}", retry={"limit": 0})
        outage.look()
    for _ in range(2):
        outage.world.cluster.step(outage.world.loop.clock())
        outage.look()
    for pod in outage.world.cluster.live("Running"):
        outage.world.cluster.life(pod).last_answer = "Refused"
        outage.world.cluster.end(pod, pod_status.failure("InvalidRequest"), outage.world.loop.clock())
    outage.look()
    assert outage.provider().get("circuits") is None


def test_a_used_up_window_holds_until_its_reset_and_then_lets_sessions_go_on_in_order(outage: Outage) -> None:
    outage.kind = ""
    outage.start("first")
    outage.look()
    for _ in range(2):
        outage.world.cluster.step(outage.world.loop.clock())
    [pod] = outage.live()
    outage.look()
    told = outage.window(pod, "Rejected", 900)
    life = outage.world.cluster.life(pod)
    life.last_answer, life.refused_with = "RateLimited", 429
    outage.world.cluster.end(pod, pod_status.failure("RateLimited", apiStatus=429, resetsAt=told["resetsAt"]), outage.world.loop.clock())
    outage.look()
    status = outage.world.session("first")["status"]
    assert status["waitingFor"] == {"kind": "ModelProvider", "name": "default", "reason": "WindowRejected", "until": told["resetsAt"]}
    assert status.get("failures", 0) == 0
    [window] = outage.provider()["windows"]
    assert (window["window"], window["status"], window["resetsAt"], window["secret"]) == ("FiveHour", "Rejected", told["resetsAt"], "anthropic")
    assert events(outage) == ["WindowRejected"]
    for number in range(20):
        outage.start(f"w{number:02d}", priority=number % 2)
    outage.look()
    assert outage.live() == []
    writes = len(outage.world.api.writes)
    outage.world.pass_time(880)
    assert outage.live() == []
    assert len(outage.world.api.writes) - writes <= 2, "waiting costs nothing"
    outage.world.pass_time(25)
    outage.look()
    at_first = [pod["metadata"]["labels"]["stint.dev/session"] for pod in outage.live()]
    assert 0 < len(at_first) < 15, "no stampede"
    assert set(at_first) <= {f"w{number:02d}" for number in range(1, 20, 2)} | {"first"}, "priority goes first"
    outage.go_on_to_the_end()
    assert {one["status"]["phase"] for one in outage.sessions()} == {"Succeeded"}


def test_while_a_window_warns_sessions_start_one_after_the_other(outage: Outage) -> None:
    outage.kind = ""
    outage.start("first")
    outage.look()
    outage.world.cluster.step(outage.world.loop.clock())
    outage.world.cluster.step(outage.world.loop.clock())
    [pod] = outage.live()
    outage.window(pod, "Warning", 9000)
    outage.world.cluster.serve(pod, outage.world.cluster.life(pod).limit / 100)
    outage.world.cluster.end(pod, pod_status.result(text="done"), outage.world.loop.clock())
    outage.look()
    assert events(outage) == ["WindowWarning"]
    for number in range(5):
        outage.start(f"w{number}")
    outage.look()
    assert len(outage.live()) == 1
    outage.world.pass_time(11)
    outage.look()
    assert len(outage.live()) == 3
    outage.go_on_to_the_end()


def test_a_clock_that_is_set_back_holds_nobody_for_long(outage: Outage) -> None:
    let_it_open(outage, retries=0)
    outage.world.loop.jumped -= timedelta(days=2)
    outage.kind = ""
    outage.world.pass_time(130)
    outage.go_on_to_the_end()


def test_a_change_of_the_provider_lets_the_next_one_try_at_once(outage: Outage) -> None:
    let_it_open(outage)
    outage.kind = ""
    outage.world.api.patch(PROVIDERS, NAMESPACE, "default", {"spec": {"breaker": {"failures": 4}}})
    outage.look()
    assert len(outage.live()) == 1


def test_a_healthy_provider_is_not_written_to_for_each_session(outage: Outage) -> None:
    outage.kind = ""
    outage.start("first")
    outage.go_on_to_the_end()
    before = len(outage.world.api.writes)
    for number in range(20):
        outage.start(f"s{number}")
    outage.go_on_to_the_end()
    assert [write for write in outage.world.api.writes[before:] if write.resource == PROVIDERS] == []
