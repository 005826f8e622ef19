"""Sessions of two namespaces and the budgets that count them, in every order that Hypothesis can think of; `BudgetTruth` judges after every step.

``STINT_SIMULATION=long`` looks much longer; a failure prints the steps that led to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from simulation import pod_status
from simulation.api import BUDGETS, PROVIDERS, SESSIONS, merged
from simulation.budget_truth import BudgetTruth
from simulation.pod_status import Json
from simulation.truth import Truth
from simulation.world import NAMESPACE, SYSTEM, WATCHED, quiet_world
from stint.kube.resources import PODS, Resource

LONG = os.environ.get("STINT_SIMULATION") == "long"
Place = tuple[str, str]
"""Namespace and name."""
NAMESPACES = (NAMESPACE, "team-b")
SESSION_PLACES: list[Place] = [(namespace, name) for namespace in NAMESPACES for name in ("a", "b")]
BUDGET_PLACES: list[Place] = [(SYSTEM, "all"), (NAMESPACE, "team")]
BUSY: Json = {"name": "busy", "resource": "concurrency", "limit": "1"}
DAY: Json = {"name": "day", "resource": "cost", "limit": "1", "calendar": "Daily"}
RATE: Json = {"name": "rate", "resource": "sessions", "limit": "6", "window": "1m"}
INTERLUDES = ("nothing", "suspended", "resumed", "deleted", "pods step", "pods end", "pod lost")
MANY = 1_000_000
LOOKS = 60
"""So many rounds may it take until everything has ended."""

picks = st.integers(0, 3)
mostly, rarely = st.sampled_from([True, True, False]), st.sampled_from([False, False, True])
sessions, places = st.sampled_from(SESSION_PLACES), st.sampled_from(BUDGET_PLACES)
session_specs = st.fixed_dictionaries(
    {"suspend": st.sampled_from([False] * 7 + [True]), "workspace": st.fixed_dictionaries({"ephemeral": st.booleans()})},
    optional={"limits": st.fixed_dictionaries({"cost": st.sampled_from(["0.3", "0.6", "3"])})},
)
PATIENT: Json = {"prompt": "x", "retry": {"limit": 10}, "limits": {"startTimeout": "72h"}}
"""Nothing but what budgets, users and the cluster do decides how often it runs."""
budget_specs = st.fixed_dictionaries(
    {
        "limits": st.sampled_from([[BUSY], [BUSY], [{**BUSY, "limit": "2"}], [DAY], [{**DAY, "limit": "2"}], [RATE], [BUSY, DAY], [BUSY, DAY, RATE]]),
        "per": st.sampled_from([[], ["Namespace"]]),
        "atLimit": st.sampled_from(["Queue"] * 6 + ["Warn", "Reject"]),
        "reserve": st.just({"cost": "0.5"}),
    }
)


class BudgetLife(RuleBasedStateMachine):
    """Users, administrators, a cluster and a controller, all of whom do as they please."""

    @initialize(first=session_specs, budget=budget_specs, where=places, early=mostly)
    def begin(self, first: Json, budget: Json, where: Place, early: bool) -> None:
        self.stack = ExitStack()
        self.world = self.stack.enter_context(quiet_world())
        self.truth, self.bounds = Truth(self.world), BudgetTruth(self.world)
        patch = pytest.MonkeyPatch()
        self.stack.callback(patch.undo)
        self.bounds.listen(patch)
        self.finished: set[str] = set()
        """Uids of pods whose agents came to a good end."""
        for namespace in NAMESPACES:
            self.world.create_secret(namespace=namespace)
        self.world.create(PROVIDERS, "default", {}, namespace=SYSTEM)
        if early:
            self.put_budget(where, budget, seen=True)
        for place in SESSION_PLACES[:3]:
            self.create(place, first, seen=False)
        self.go_on(1, ends=False, seen=True)

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        try:
            if not self.failed:
                self._end_well()
        finally:
            self.stack.close()

    @invariant()
    def it_is_true(self) -> None:
        if hasattr(self, "bounds"):
            self._judge()

    failed = False
    """An invariant does not hold: the end is not worth looking at."""

    # Users and administrators

    @rule(place=sessions, spec=session_specs, seen=st.booleans())
    def create(self, place: Place, spec: Json, seen: bool) -> None:
        if self._find(SESSIONS, place) is None:
            self.world.create(SESSIONS, place[1], merged(PATIENT, spec), namespace=place[0])
        self._see(seen)

    @rule(
        place=sessions, seen=st.booleans(),
        change=st.sampled_from([{"suspend": False}, {"suspend": True}, {"cancel": True}, {"limits": {"cost": "0.7"}}, {"limits": {"cost": "2"}}]),
    )  # fmt: skip
    def edit(self, place: Place, change: Json, seen: bool) -> None:
        self._edit(SESSIONS, place, change)
        self._see(seen)

    @rule(place=sessions, again=rarely, seen=st.booleans())
    def delete(self, place: Place, again: bool, seen: bool) -> None:
        self._delete(SESSIONS, place)
        if again:
            self.create(place, {}, seen=False)
        self._see(seen)

    @rule(place=places, spec=budget_specs, seen=st.booleans())
    def put_budget(self, place: Place, spec: Json, seen: bool) -> None:
        """A budget comes, or another takes its place."""
        if self._find(BUDGETS, place) is None:
            self.world.create(BUDGETS, place[1], spec, namespace=place[0])
        else:
            self._edit(BUDGETS, place, spec)
        self._see(seen)

    @rule(place=places, seen=st.booleans())
    def remove_budget(self, place: Place, seen: bool) -> None:
        self._delete(BUDGETS, place)
        self._see(seen)

    # The cluster

    @rule(rounds=st.integers(1, 3), ends=rarely, seen=mostly)
    def go_on(self, rounds: int, ends: bool, seen: bool) -> None:
        """Everything works as it should: pods are scheduled, start, perhaps end, and are deleted; the controller sees it and acts."""
        for _ in range(rounds):
            self._see(True)
            self._kubelet(ends=ends)
        self._see(seen)

    @rule(pick=picks, cost=st.sampled_from(["0.01", "0.2", "0.4"]), ends=st.booleans(), seen=st.booleans())
    def serve(self, pick: int, cost: str, ends: bool, seen: bool) -> None:
        """An agent asks its model, or is told that it has used up what it may; it may be done then."""
        for pod in self._running(pick):
            if not self.world.cluster.serve(pod, Decimal(cost)):
                self.world.cluster.end(pod, pod_status.failure("BudgetReached"), self.world.loop.clock())
            elif ends:
                self._finish(pod)
        self._see(seen)

    @rule(pick=picks, what=st.sampled_from(["evict", "node restart", "force", "delete"]), seen=st.booleans())
    def trouble(self, pick: int, what: str, seen: bool) -> None:
        cluster, now = self.world.cluster, self.world.loop.clock()
        happens: dict[str, Callable[[Json], Any]] = {
            "evict": lambda pod: cluster.evict(pod, now, "TerminationByKubelet"),
            "node restart": cluster.lose_containers,
            "force": cluster.force_delete,
            "delete": lambda pod: self.world.api.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"]),
        }
        for pod in self._running(pick):
            happens[what](pod)
        self._see(seen)

    # What the controller sees, and what becomes of it

    @rule(resource=st.sampled_from(WATCHED), most=st.sampled_from([1, 2, MANY]), work=st.booleans())
    def deliver(self, resource: Resource, most: int, work: bool) -> None:
        self.world.deliver(resource, most)
        if work:
            self.world.work()

    @rule(resource=st.sampled_from([SESSIONS, PODS, BUDGETS]), expired=st.booleans())
    def break_watch(self, resource: Resource, expired: bool) -> None:
        self.world.break_watch(resource, expired)

    @rule(seconds=st.sampled_from([0, 1, 20, 61, 400]), working=mostly)
    def pass_time(self, seconds: int, working: bool) -> None:
        self.world.pass_time(seconds, working=working)

    @rule(what=st.sampled_from(["crash_before", "crash_after", "lost_answer", "restart"]), number=st.integers(0, 5))
    def fault(self, what: str, number: int) -> None:
        """The process ends now or at one of the next writes, or an answer is lost."""
        if what == "restart":
            self.world.restart()
        else:
            setattr(self.world.client, what, number)

    @rule(what=st.lists(st.sampled_from(INTERLUDES), min_size=1, max_size=4), place=sessions, pick=picks)
    def meanwhile(self, what: list[str], place: Place, pick: int) -> None:
        """While the controller waits for the answers to its next requests, this happens, and it is told of it at once."""
        for word in what:
            self.world.client.meanwhile.append(partial(self._happen, word, place, pick))

    def _happen(self, what: str, place: Place, pick: int) -> None:
        match what:
            case "suspended" | "resumed":
                self._edit(SESSIONS, place, {"suspend": what == "suspended"})
            case "deleted":
                self._delete(SESSIONS, place)
            case "pods step" | "pods end":
                self._kubelet(ends=what == "pods end")
            case "pod lost":
                for pod in self._running(pick):
                    self.world.cluster.force_delete(pod)
        for resource in (SESSIONS, PODS):
            self.world.hand_out(resource)

    # The end

    def _end_well(self) -> None:
        """Everything comes back: every session comes to its end, and nothing is left of it in the budgets."""
        world = self.world
        world.client.crash_after = world.client.crash_before = world.client.lost_answer = None
        world.client.meanwhile.clear()
        world.deliver_all()
        world.pass_time(120)  # backoffs
        for _ in range(LOOKS):
            world.settle()
            world.api.collect_garbage()
            self._kubelet(ends=True)
            world.settle()
            self.truth.check()
            if all("completionTime" in session.get("status", {}) for session in world.api.of(SESSIONS)) and not self._running(0):
                break
            for session in list(world.api.of(SESSIONS)):
                self._set_free(session)
            world.pass_time(6 * 3600 if not list(self._working()) else 20)
        for session in world.api.of(SESSIONS):
            self._ran_as_often_as_it_should(session)
        self._nothing_is_left()
        world.restart()
        self._nothing_is_left()

    def _set_free(self, session: Json) -> None:
        """What only a user can undo."""
        meta, status = session["metadata"], session.get("status", {})
        place = (meta["namespace"], meta["name"])
        if session["spec"].get("suspend"):
            self._edit(SESSIONS, place, {"suspend": False})
        if any(condition["type"] == "Stalled" for condition in status.get("conditions", ())) and "completionTime" not in status:
            self._edit(SESSIONS, place, {"limits": {"cost": str(self._known(session) + Decimal("0.5"))}})

    def _known(self, session: Json) -> Decimal:
        """What a session has used; on a volume without the estimates, which do not count against its limits."""
        status = session.get("status", {})
        lost = [entry for entry in status.get("history", ()) if entry.get("estimated") and not session["spec"]["workspace"].get("ephemeral")]
        return Decimal(status.get("usage", {}).get("cost", "0")) - sum((Decimal(entry["cost"]) for entry in lost), Decimal(0))

    def _ran_as_often_as_it_should(self, session: Json) -> None:
        """Once to a good end, unless it was cancelled or rejected; and otherwise only as often as something came between."""
        status, meta = session.get("status", {}), session["metadata"]
        assert "completionTime" in status, f"{meta['namespace']}/{meta['name']} does not end: {session['spec']} {status}"
        ended_badly = status["result"].get("error", {}).get("class")
        assert ended_badly in (None, "Cancelled", "BudgetRejected"), f"it failed: {status['result']}"
        history = {entry.get("podUID", ""): entry["outcome"] for entry in status.get("history", ())}
        good = [uid for uid, outcome in history.items() if outcome == "Succeeded"]
        assert len(good) == (0 if ended_badly else 1), f"{good} came to a good end: {history} {status['result']}"
        assert self.finished.issuperset(good)
        changes = self.world.api.changes[PODS.plural]
        pods = [each.item["metadata"]["uid"] for each in changes if each.kind == "ADDED" and self._is_of(each.item, session)]
        assert not good or pods[-1] == good[0], "it ran again after a good end"
        there = {pod["metadata"]["uid"] for pod in self.world.cluster.pods() if self._is_of(pod, session)}
        assert there <= set(history), "it has a pod that stands in no history"

    def _nothing_is_left(self) -> None:
        self.world.settle()
        self.world.pass_time(3)
        self.world.settle()
        for budget in self.world.api.of(BUDGETS):
            status = budget["status"]
            assert (status["commits"], status["waiting"]) == ([], 0)
            assert all(limit["reserved"] == "0" for account in status["accounts"] for limit in account["limits"]), status["accounts"]
        assert self.world.resync() == []

    # Short words

    def _judge(self) -> None:
        self.failed = True
        self.truth.check()
        self.bounds.check()
        self.failed = False

    def _see(self, seen: bool) -> None:
        """The controller learns of everything and acts, if ``seen``."""
        if seen:
            self.world.deliver_all()
            self.world.work()

    def _kubelet(self, *, ends: bool) -> None:
        """One step of every pod; deletions are carried out."""
        for pod in self.world.cluster.step(self.world.loop.clock()):
            if ends:
                self._finish(pod)

    def _finish(self, pod: Json) -> None:
        """Its agent is done; not in a pod that is being deleted, whose end nobody may see."""
        if "deletionTimestamp" not in pod["metadata"]:
            self.finished.add(pod["metadata"]["uid"])
            self.world.cluster.end(pod, pod_status.result(text="done"), self.world.loop.clock())

    def _working(self) -> list[Json]:
        return [pod for pod in self.world.cluster.pods() if pod["status"]["phase"] in ("Pending", "Running")]

    def _running(self, pick: int) -> list[Json]:
        """One of the pods that run, if there is any."""
        found = self.world.cluster.live("Running")
        return [found[pick % len(found)]] if found else []

    @staticmethod
    def _is_of(pod: Json, session: Json) -> bool:
        return bool(pod["metadata"]["ownerReferences"][0]["uid"] == session["metadata"]["uid"])

    def _find(self, resource: Resource, place: Place) -> Json | None:
        return self.world.api.objects.get((resource.plural, *place))

    def _delete(self, resource: Resource, place: Place) -> None:
        if self._find(resource, place) is not None:
            self.world.api.delete(resource, *place)

    def _edit(self, resource: Resource, place: Place, change: Json) -> None:
        if self._find(resource, place) is not None:
            self.world.api.patch(resource, *place, {"spec": change})


TestBudgetLife = BudgetLife.TestCase
TestBudgetLife.settings = settings(
    max_examples=5000 if LONG else 120,
    stateful_step_count=100 if LONG else 30,
    derandomize=not LONG,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
