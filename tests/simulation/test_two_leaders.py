"""Two controllers that take turns in every way that Hypothesis can think of: stopped and woken, cut off, killed, with clocks that are wrong and requests
that arrive long after they were sent. Whoever leads, no session has two pods and no budget is exceeded; and in the end every session has run once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from simulation import pod_status
from simulation.api import BUDGETS, PROVIDERS, SESSIONS
from simulation.pod_status import Json
from simulation.replicas import Replicas
from simulation.world import INFORMED, NAMESPACE, SYSTEM, quiet
from stint.kube.resources import LEASES, PODS, Resource

LONG = os.environ.get("STINT_SIMULATION") == "long"
AT_ONCE, DAY, RESERVE, COST = 2, Decimal(3), Decimal("0.5"), Decimal("0.25")
BUSY = {"name": "busy", "resource": "concurrency", "limit": str(AT_ONCE)}
DAILY = {"name": "day", "resource": "cost", "limit": str(DAY), "calendar": "Daily"}
SESSION: Json = {"prompt": "x", "retry": {"limit": 10}, "limits": {"startTimeout": "72h"}}
NAMES = [f"s{number}" for number in range(8)]
which = st.integers(0, 1)


class TwoLeaders(RuleBasedStateMachine):
    """Users, a cluster, and two controllers in bad times."""

    @initialize(daily=st.booleans())
    def begin(self, daily: bool) -> None:
        """Sessions that only concurrency counts have no finalizer: one write less that a stale version would stop."""
        self.stack = ExitStack()
        self.world = self.stack.enter_context(quiet(Replicas))
        self.daily = daily
        furnish(self.world, *([BUSY, DAILY] if daily else [BUSY]))
        self.see(0)
        self.see(1)

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        try:
            if not self.failed:
                self._end_well()
        finally:
            self.stack.close()

    failed = False

    @invariant()
    def it_is_true(self) -> None:
        if hasattr(self, "world"):
            self.failed = True
            judge(self.world, daily=self.daily)
            self.failed = False

    # Users and the cluster

    @rule(count=st.integers(1, 3))
    def create(self, count: int) -> None:
        new = [name for name in NAMES if (SESSIONS.plural, NAMESPACE, name) not in self.world.api.objects]
        for name in new[:count]:
            self.world.create(SESSIONS, name, SESSION)

    @rule(ends=st.booleans())
    def pods_step(self, ends: bool) -> None:
        step(self.world, ends)

    @rule(pick=st.integers(0, 3))
    def lose_pod(self, pick: int) -> None:
        """Somebody removes a pod by force: the session needs another one."""
        found = working(self.world)
        if found:
            self.world.cluster.force_delete(found[pick % len(found)])

    # Controllers

    @rule(at=which)
    def see(self, at: int) -> None:
        """It learns of everything, and acts."""
        self.world.hand(at)
        self.world.deliver_all()
        self.world.work()

    @rule(at=which, resource=st.sampled_from(INFORMED))
    def hear(self, at: int, resource: Resource) -> None:
        """One of its watches is ahead of the others."""
        self.world.hand(at)
        self.world.deliver(resource)

    @rule(at=which, most=st.integers(1, 4))
    def work(self, at: int, most: int) -> None:
        """It acts on what it knows."""
        self.world.hand(at)
        self.world.work(most)

    @rule(at=which, resource=st.sampled_from([*INFORMED, LEASES]), expired=st.booleans())
    def break_watch(self, at: int, resource: Resource, expired: bool) -> None:
        self.world.hand(at)
        self.world.break_watch(resource, expired)

    @rule(seconds=st.sampled_from([0.5, 2, 6, 16, 40]), heard=st.booleans())
    def time_passes(self, seconds: float, heard: bool) -> None:
        """Both go on with their election; ``heard``: news of the Lease arrive."""
        for at in (0, 1):
            self.world.hand(at)
            if heard:
                self.world.hand_out_all()
        self.world.pass_time(seconds, working=False)

    @rule(at=which, fault=st.sampled_from(["crash_before", "crash_after", "lost_answer"]), number=st.integers(0, 3))
    def fault(self, at: int, fault: str, number: int) -> None:
        """One of its next writes, or its answer, is cut off."""
        setattr(self.world.hand(at).client, fault, number)
        self.see(at)
        setattr(self.world.processes[at].client, fault, None)

    @rule(at=which, down=st.booleans())
    def cut_off(self, at: int, down: bool) -> None:
        self.world.hand(at).client.down = down

    @rule(at=which)
    def kill(self, at: int) -> None:
        self.world.hand(at)
        self.world.restart()

    @rule(at=which)
    def terminate(self, at: int) -> None:
        if self.world.hand(at).stopped_at is None:
            self.world.terminate()

    @rule(at=which)
    def stop(self, at: int) -> None:
        self.world.hand(at)
        self.world.stop()

    @rule(at=which)
    def wake(self, at: int) -> None:
        self.world.hand(at)
        self.world.wake()

    @rule(at=which)
    def stall(self, at: int) -> None:
        self.world.hand(at)
        self.world.stall()

    @rule()
    def arrive(self) -> None:
        self.world.arrive()

    @rule(at=which, skew=st.sampled_from([-3600, 0, 60]))
    def clock_jumps(self, at: int, skew: int) -> None:
        self.world.hand(at).skew = timedelta(seconds=skew)

    # In the end

    def _end_well(self) -> None:
        self.world.arrive()
        self.world.api.patch(BUDGETS, SYSTEM, "all", {"spec": {"limits": [BUSY]}})
        for at in (0, 1):
            process = self.world.hand(at)
            process.client.down, process.skew = False, timedelta(0)
            self.world.wake()
        run_to_the_end(self.world)


def furnish(world: Replicas, *limits: Json) -> None:
    world.create_secret()
    world.create(PROVIDERS, "default", {}, namespace=SYSTEM)
    world.create(BUDGETS, "all", {"limits": list(limits), "reserve": {"cost": str(RESERVE)}}, namespace=SYSTEM)


def judge(world: Replicas, *, daily: bool) -> None:
    """No two who may act, no two pods of one session, no budget exceeded; with ``daily`` there is one of cost as well."""
    assert sum(process.leads for process in world.processes) <= 1
    at_work = [world.cluster.life(pod) for pod in working(world)]
    assert all(count == 1 for count in Counter(life.owner for life in at_work).values()), "two pods of one session"
    assert len(at_work) <= AT_ONCE, f"{len(at_work)} work at once"
    over = [life for life in world.cluster.lives.values() if life not in at_work]
    spent = sum((life.served for life in over), Decimal(0)) + sum((life.limit for life in at_work), Decimal(0))
    assert spent <= DAY or not daily, f"{spent} is spent or reserved"


def working(world: Replicas) -> list[Json]:
    return [pod for pod in world.cluster.pods() if pod["status"]["phase"] in ("Pending", "Running")]


def step(world: Replicas, ends: bool) -> None:
    """Every pod comes one step further; agents that run are served and, if it ends, come to a good end."""
    for pod in world.cluster.step(world.loop.clock()):
        if ends:
            world.cluster.serve(pod, COST)
            world.cluster.end(pod, pod_status.result(text="done"), world.loop.clock())


def run_to_the_end(world: Replicas) -> None:
    """Nothing goes wrong any more, and no budget of cost is in the way: every session comes to one good end, and has no pod afterwards."""
    for _ in range(60):
        world.pass_time(20, working=False)
        for at in (0, 1):
            world.hand(at)
            world.deliver_all()
            world.work()
        step(world, ends=True)
        judge(world, daily=False)
        if all("completionTime" in item.get("status", {}) for item in world.api.of(SESSIONS)):
            break
    for item in world.api.of(SESSIONS):
        status = item.get("status", {})
        *before, last = status.get("history") or [{}]
        assert {entry["outcome"] for entry in before} <= {"Disrupted"}, f"{item['metadata']['name']}: {status}"
        assert last.get("outcome") == "Succeeded", f"{item['metadata']['name']}: {status}"
        changes = [change.item for change in world.api.changes[PODS.plural] if change.kind == "ADDED"]
        pods = [pod["metadata"]["uid"] for pod in changes if pod["metadata"]["ownerReferences"][0]["uid"] == item["metadata"]["uid"]]
        assert pods[-1] == last["podUID"], "it ran again after its good end"


TestTwoLeaders = TwoLeaders.TestCase
TestTwoLeaders.settings = settings(
    max_examples=5000 if LONG else 150,
    stateful_step_count=100 if LONG else 40,
    derandomize=not LONG,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


# Two stories that chance does not tell often

LONG_ENOUGH = 40.0
"""Seconds until a standby leads that has heard nothing: it finds once that what it knew of the Lease was old."""


@pytest.fixture
def world() -> Iterator[Replicas]:
    """The first one leads and has looked at everything; the second stands by."""
    with quiet(Replicas) as found:
        furnish(found, BUSY)
        for at in (0, 1):
            found.hand(at)
            found.settle()
        found.hand(0)
        found.pass_time(2)
        assert [process.leads for process in found.processes] == [True, False]
        yield found


def pods(world: Replicas) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in working(world))


def test_a_leader_that_wakes_when_another_leads_does_not_create_the_pod_that_it_had_in_mind(world: Replicas) -> None:
    # given a leader that stopped between the commit of an attempt and its pod
    world.create(SESSIONS, "s", SESSION)
    world.deliver(SESSIONS)
    while not world.api.get(BUDGETS, SYSTEM, "all")["status"]["commits"]:
        assert world.work(1)
    assert pods(world) == []
    world.stop()
    # and another one that has carried it out, lost the pod, and made the next one
    world.pass_time(LONG_ENOUGH, working=False)
    world.hand(1)
    world.settle()
    assert pods(world) == ["s-1"]
    for _ in range(3):
        step(world, ends=False)
        world.settle()
    world.cluster.force_delete(working(world)[0])
    world.settle()
    assert pods(world) == ["s-2"]
    # when
    world.hand(0)
    world.wake()
    world.hand(0)
    world.work()
    # then
    assert pods(world) == ["s-2"]


def test_a_new_leader_counts_the_pods_that_its_watch_has_not_told_of(world: Replicas) -> None:
    # given a leader with as many pods as it may have, all seen and none committed any more
    for name, suspended in (("c", True), ("a", False), ("b", False)):
        world.create(SESSIONS, name, {**SESSION, "suspend": suspended})
    world.settle()
    world.edit("c", suspend=False)
    world.settle()
    world.pass_time(3)
    assert pods(world) == ["a-1", "b-1"]
    assert world.api.get(BUDGETS, SYSTEM, "all")["status"]["commits"] == []
    # and a standby that knows the sessions, the oldest of which waits, and the budget, but of no pod
    world.hand(0)
    world.stop()
    world.hand(1)
    world.hand_out_all_but(PODS)
    # when
    world.pass_time(LONG_ENOUGH, working=False)
    world.work()
    world.hand_out_all_but(PODS)
    world.work()
    # then
    assert [process.leads for process in world.processes] == [False, True]
    assert world.assembly.acting
    assert pods(world) == ["a-1", "b-1"]
