"""Sessions live, die and are run again in every order that Hypothesis can think of; `Truth` judges after every step.

``STINT_SIMULATION=long`` looks much longer; a failure prints the steps that led to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from simulation import pod_status
from simulation.api import PROFILES, PROVIDERS, SESSIONS
from simulation.pod_status import Json, stamp
from simulation.truth import Truth
from simulation.world import NAMESPACE, WATCHED, quiet_world
from stint.assembly import WATCHED_BY_KOPF
from stint.kube.resources import NETWORK_POLICIES, PODS, SECRETS, Resource

LONG = os.environ.get("STINT_SIMULATION") == "long"
NAMES = ("a", "b")
PROFILE = "p"
RETRIED = ("Overloaded", "ServerError", "ProviderUnreachable", "AgentCrashed", "OutputInvalid", "RateLimited", "ToolsUnavailable")
FINAL = ("AuthFailed", "BillingFailed", "InvalidRequest", "ModelNotFound", "ContextTooLarge", "MaxTurns", "Timeout", "BudgetReached")
TROUBLES = ("crash", "memory", "gateway", "evict", "preempt", "drain", "node restart", "force", "image", "config", "reject", "broken gateway")
INTERLUDES = ("nothing", "suspended", "resumed", "deleted", "replaced", "pods step", "pods end", "pod lost", "garbage")
MANY = 1_000_000
LOOKS = 80
"""So many rounds may it take until everything has ended."""

picks = st.integers(0, 1)
mostly, rarely = st.sampled_from([True, True, False]), st.sampled_from([False, False, True])
names = st.sampled_from(NAMES)
specs = st.fixed_dictionaries(
    {
        "workspace": st.fixed_dictionaries({"ephemeral": st.booleans()}),
        "retry": st.fixed_dictionaries({"limit": st.integers(0, 2)}),
        "limits": st.fixed_dictionaries({"cost": st.sampled_from(["5", "1", "0.5"])}),
        "suspend": st.sampled_from([False] * 7 + [True]),
    },
    optional={"ttlSecondsAfterFinished": st.sampled_from([0, 60]), "profileRef": st.just({"name": PROFILE})},
)


class Life(RuleBasedStateMachine):
    """A user, a cluster and a controller, all of whom do as they please."""

    @initialize(first=specs, second=specs, continues=rarely)
    def begin(self, first: Json, second: Json, continues: bool) -> None:
        self.stack = ExitStack()
        self.world = self.stack.enter_context(quiet_world())
        self.truth = Truth(self.world)
        self.reruns = 0
        for there in (PROVIDERS, PROFILES, SECRETS):
            self._set_there(there, True)
        self.world.settle()
        self.create("a", first, tracked=False, delete=False, continues=False, seen=True)
        self.create("b", second, tracked=True, delete=False, continues=continues, seen=True)
        self.go_on(2, deletions=True, seen=True)

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
        if hasattr(self, "truth"):
            self.failed = True
            self.truth.check()
            self.failed = False

    failed = False
    """An invariant does not hold: the end is not worth looking at."""

    # Users

    @rule(name=names, spec=specs, tracked=st.booleans(), delete=rarely, continues=rarely, seen=st.booleans())
    def create(self, name: str, spec: Json, tracked: bool, delete: bool, continues: bool, seen: bool) -> None:
        """A session comes, perhaps in the place of another of its name."""
        if delete:
            self._delete(name)
        if self._find(name) is None:
            meta: Json = {"annotations": {"argocd.argoproj.io/tracking-id": "x"}} if tracked else {}
            source: Json = {"continueFrom": {"name": "a"}} if continues and name == "b" else {}
            self.world.create(SESSIONS, name, {"prompt": "x", **spec, **source}, **meta)
        self._see(seen)

    @rule(
        name=names,
        seen=st.booleans(),
        change=st.one_of(
            st.just({"suspend": False}),
            st.just({"suspend": False}),
            st.just({"suspend": True}),
            st.just({"retryRequest": "again"}),
            st.just({"retryRequest": "again"}),
            st.just({"cancel": True}),
            st.fixed_dictionaries({"limits": st.fixed_dictionaries({"cost": st.sampled_from(["0.2", "2", "9"])})}),
            st.fixed_dictionaries({"ttlSecondsAfterFinished": st.sampled_from([None, 0, 100])}),
        ),
    )
    def edit(self, name: str, change: Json, seen: bool) -> None:
        if "retryRequest" in change:
            self.reruns += 1
            moment = self.world.loop.clock() + timedelta(seconds=self.reruns, microseconds=500_000)
            change = {"retryRequest": moment.isoformat()}
        self._edit(name, change)
        self._see(seen)

    @rule(resource=st.sampled_from([PROVIDERS, PROFILES, SECRETS, NETWORK_POLICIES, PODS]), there=mostly, pick=picks, seen=st.booleans())
    def take_away(self, resource: Resource, there: bool, pick: int, seen: bool) -> None:
        """What sessions need disappears, or comes back; somebody deletes a pod."""
        if resource == PODS:
            for pod in self._pods(pick, *(("Pending", "Running") if there else ("Succeeded", "Failed"))):
                self.world.api.delete(PODS, NAMESPACE, pod["metadata"]["name"])
        else:
            self._set_there(resource, there)
        self._see(seen)

    # The cluster

    @rule(rounds=st.integers(1, 3), deletions=mostly, seen=mostly)
    def go_on(self, rounds: int, deletions: bool, seen: bool) -> None:
        """Everything works as it should: pods are scheduled, start and are deleted, the controller sees it and acts."""
        for _ in range(rounds):
            self.world.deliver_all()
            self.world.work()
            self._kubelet(ends=False, deletions=deletions)
        self._see(seen)

    @rule(error=st.sampled_from(("", *RETRIED, *FINAL)), cost=st.sampled_from(["0.01", "0.3", "0.7"]), seen=st.booleans())
    def live_through(self, error: str, cost: str, seen: bool) -> None:
        """A whole attempt; ``seen``: the controller gets to see all of it."""
        self.go_on(3, deletions=True, seen=seen)
        self.serve(0, cost)
        self.end(0, error, resets=False, seen=seen)

    @rule(pick=picks, cost=st.sampled_from(["0.01", "0.3", "0.7"]))
    def serve(self, pick: int, cost: str) -> None:
        for pod in self._on_nodes(pick, "Running"):
            if not self.world.cluster.serve(pod, Decimal(cost)):
                self.world.cluster.end(pod, pod_status.failure("BudgetReached"), self.world.loop.clock())

    @rule(pick=picks, error=st.sampled_from(("", *RETRIED, *FINAL[:3])), resets=st.booleans(), seen=st.booleans())
    def end(self, pick: int, error: str, resets: bool, seen: bool) -> None:
        """An agent comes to its end; an empty error is a success."""
        details = {"resetsAt": stamp(self.world.loop.clock() + timedelta(minutes=5))} if resets and error == "RateLimited" else {}
        words = pod_status.failure(error, **details) if error else pod_status.result(text="done")
        for pod in self._on_nodes(pick, "Running"):
            self.world.cluster.life(pod).refused_with = 429 if details else None
            self.world.cluster.end(pod, words, self.world.loop.clock())
        self._see(seen)

    @rule(
        pick=picks,
        what=st.sampled_from(["crash", "memory", "gateway", "evict", "preempt", "drain", "node restart", "force", "image", "config"]),
        seen=st.booleans(),
    )
    def trouble(self, pick: int, what: str, seen: bool) -> None:
        cluster, now = self.world.cluster, self.world.loop.clock()
        while_running: dict[str, Callable[[Json], Any]] = {
            "crash": lambda pod: cluster.end(pod, "", now),
            "memory": lambda pod: cluster.kill_for_memory(pod, now),
            "gateway": lambda pod: cluster.restart_gateway(pod, now),
            "evict": lambda pod: cluster.evict(pod, now, "TerminationByKubelet"),
            "preempt": lambda pod: cluster.evict(pod, now, "PreemptionByScheduler"),
            "drain": lambda pod: cluster.evict(pod, now, "EvictionByEvictionAPI"),
            "node restart": cluster.lose_containers,
            "broken gateway": lambda pod: cluster.break_gateway(pod, now),
            "force": cluster.force_delete,
        }
        while_starting: dict[str, Callable[[Json], Any]] = {
            "evict": while_running["evict"],
            "force": cluster.force_delete,
            "reject": cluster.reject,
            "broken gateway": while_running["broken gateway"],
            "image": lambda pod: cluster.hang(pod, "ErrImagePull", "no such image"),
            "config": lambda pod: cluster.hang(pod, "CreateContainerConfigError", "no such key"),
        }
        for pod in self._on_nodes(pick, "Running"):
            while_running.get(what, _nothing)(pod)
        for pod in self._on_nodes(pick, "Pending"):
            while_starting.get(what, _nothing)(pod)
        self._see(seen)

    @rule(answering=mostly, garbage=st.booleans())
    def keep_house(self, answering: bool, garbage: bool) -> None:
        """Nodes do not answer: nothing changes on them, nothing is deleted from them; the collector runs, or not."""
        self.world.cluster.lost_nodes = set() if answering else {"node-1"}
        if garbage:
            self.world.api.collect_garbage()

    # What the controller sees, and when

    @rule(resource=st.sampled_from(WATCHED), most=st.sampled_from([1, 2, MANY]), work=st.booleans())
    def deliver(self, resource: Resource, most: int, work: bool) -> None:
        self.world.deliver(resource, most)
        if work:
            self.world.work()

    @rule(resource=st.sampled_from(WATCHED), expired=st.booleans())
    def break_watch(self, resource: Resource, expired: bool) -> None:
        if resource in WATCHED_BY_KOPF:
            self.world.relist(resource)
        else:
            self.world.break_watch(resource, expired)

    # The controller

    @rule(seconds=st.sampled_from([0, 1, 20, 61, 400, 2000]), working=st.booleans())
    def pass_time(self, seconds: int, working: bool) -> None:
        self.world.pass_time(seconds, working=working)

    @rule(what=st.sampled_from(["crash_before", "crash_after", "lost_answer", "restart", "clock"]), number=st.integers(0, 3))
    def fault(self, what: str, number: int) -> None:
        """The process ends now or at one of the next writes, an answer is lost, somebody sets the clock."""
        if what == "restart":
            self.world.restart()
        elif what == "clock":
            self.world.loop.jumped += timedelta(seconds=10 * 20**number)
        else:
            setattr(self.world.client, what, number)

    @rule(what=st.lists(st.sampled_from(INTERLUDES), min_size=1, max_size=4), name=names, pick=picks)
    def meanwhile(self, what: list[str], name: str, pick: int) -> None:
        """While the controller waits for the answers to its next requests, this happens, and it is told of it at once."""
        for word in what:
            self.world.client.meanwhile.append(partial(self._happen, word, name, pick))

    def _happen(self, what: str, name: str, pick: int) -> None:
        match what:
            case "suspended" | "resumed":
                self._edit(name, {"suspend": what == "suspended"})
            case "deleted":
                self._delete(name)
            case "replaced":
                self._delete(name)
                self.world.create(SESSIONS, name, {"prompt": "x"})
            case "pods step" | "pods end":
                self._kubelet(ends=what == "pods end", deletions=True)
            case "pod lost":
                for pod in self._pods(pick, "Pending", "Running", "Succeeded", "Failed"):
                    self.world.cluster.force_delete(pod)
            case "garbage":
                self.world.api.collect_garbage()
        self.world.hand_out_all()

    @rule(seconds=st.sampled_from([0, 1, 30, 90]), most=st.integers(0, 3))
    def cut_off(self, seconds: int, most: int) -> None:
        """The API server does not answer for a while, and the watch on pods breaks; what was on its way before still arrives."""
        for resource in WATCHED:
            self.world.deliver(resource, most)
        self.world.client.down = True
        self.world.break_watch(PODS, expired=False)
        self.world.work()
        self.world.pass_time(seconds)
        self.world.client.down = False

    # The end

    def _end_well(self) -> None:
        """Everything comes back; every session then comes to its end, and after that nobody writes anything any more."""
        world = self.world
        self._repair()
        for _ in range(LOOKS):
            world.settle()
            world.api.collect_garbage()
            self._kubelet(ends=True, deletions=True)
            world.settle()
            self.truth.check()
            if self._all_done():
                break
            for session in list(world.api.of(SESSIONS)):
                self._set_free(session)
            world.pass_time(300)
        unfinished = [session for session in world.api.of(SESSIONS) if "completionTime" not in session.get("status", {})]
        assert not unfinished, f"does not end: {unfinished[0]['spec']} {unfinished[0].get('status')}"
        self._nothing_moves_any_more()
        world.restart()
        self._nothing_moves_any_more()

    def _repair(self) -> None:
        world = self.world
        world.client.down, world.client.crash_after, world.client.crash_before, world.client.lost_answer = False, None, None, None
        world.client.meanwhile.clear()
        world.cluster.lost_nodes.clear()
        for there in (PROVIDERS, PROFILES, SECRETS):
            self._set_there(there, True)
        world.deliver_all()
        world.pass_time(660)  # backoffs and the periodic list
        for session in list(world.api.of(SESSIONS)):
            self._set_free(session)

    def _set_free(self, session: Json) -> None:
        """What only a user can undo; nothing else is touched, because every touch makes the controller look."""
        name, waits = session["metadata"]["name"], {one["type"]: one["reason"] for one in session.get("status", {}).get("conditions", ())}
        if session["spec"].get("suspend"):
            self._edit(name, {"suspend": False})
        if waits.get("Stalled") in ("BudgetReached", "Timeout") and "completionTime" not in session["status"]:
            self._edit(name, {"limits": {"cost": "1000", "timeout": "720h"}})
        if "continueFrom" in session["spec"] and "completionTime" not in session.get("status", {}) and self._waits_for_ever(waits):
            self._edit(name, {"cancel": True})

    def _waits_for_ever(self, waits: dict[str, str]) -> bool:
        """What it wants to continue is gone, or has left nothing to continue."""
        source = self._find("a")
        if source is None or waits.get("Stalled") == "SourceHasNoVolume":
            return True
        return "completionTime" in source.get("status", {}) and not source["status"].get("history")

    def _kubelet(self, *, ends: bool, deletions: bool) -> None:
        """One step of every pod; agents come to a good end, deletions are carried out, if so wished."""
        cluster, now = self.world.cluster, self.world.loop.clock()
        for pod in cluster.pods():
            phase, node = pod["status"]["phase"], pod["spec"].get("nodeName")
            if node in cluster.lost_nodes:
                continue
            if "deletionTimestamp" in pod["metadata"]:
                if deletions:
                    cluster.finish_deletion(pod, now)
            elif phase == "Pending" and not node:
                cluster.schedule(pod, "node-1")
            elif phase == "Pending" and cluster.volumes_are_there(pod) and not cluster.life(pod).broken:
                cluster.start(pod, now)
            elif phase == "Running" and ends:
                cluster.end(pod, pod_status.result(text="done"), now)

    def _all_done(self) -> bool:
        alive = [pod for pod in self.world.cluster.pods() if pod["status"]["phase"] in ("Pending", "Running")]
        return not alive and all("completionTime" in session.get("status", {}) for session in self.world.api.of(SESSIONS))

    def _nothing_moves_any_more(self) -> None:
        """Whatever is looked at once more, and however often: not one write."""
        self.world.settle()
        assert self.world.resync() == []
        assert self.world.resync() == []
        for session in self.world.api.of(SESSIONS):
            self.truth.check_the_end(session)
        self.truth.check()

    # Short words

    def _see(self, seen: bool) -> None:
        """The controller learns of everything and acts, if ``seen``."""
        if seen:
            self.world.deliver_all()
            self.world.work()

    def _find(self, name: str) -> Json | None:
        return self.world.api.objects.get((SESSIONS.plural, NAMESPACE, name))

    def _delete(self, name: str) -> None:
        if self._find(name) is not None:
            self.world.api.delete(SESSIONS, NAMESPACE, name)

    def _edit(self, name: str, change: Json) -> None:
        if self._find(name) is not None:
            self.world.edit(name, **change)

    def _set_there(self, resource: Resource, there: bool) -> None:
        found = next(iter(self.world.api.of(resource)), None)
        if not there and found is not None:
            self.world.api.delete(resource, NAMESPACE, found["metadata"]["name"])
        elif there and found is None and resource == SECRETS:
            self.world.create_secret()
        elif there and found is None and resource != NETWORK_POLICIES:
            spec: Json = {"limits": {"cost": "3"}} if resource == PROFILES else {}
            self.world.create(resource, PROFILE if resource == PROFILES else "default", spec)

    def _pods(self, pick: int, *phases: str) -> list[Json]:
        """One of the pods in these phases, if there is any."""
        found = [pod for pod in self.world.cluster.pods() if pod["status"]["phase"] in phases]
        return [found[pick % len(found)]] if found else []

    def _on_nodes(self, pick: int, *phases: str) -> list[Json]:
        found = [pod for phase in phases for pod in self.world.cluster.live(phase) if pod["spec"].get("nodeName")]
        return [found[pick % len(found)]] if found else []


def _nothing(pod: Json) -> None:
    """This trouble comes at another time of a pod's life."""


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=5000 if LONG else 400,
    stateful_step_count=100 if LONG else 50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
