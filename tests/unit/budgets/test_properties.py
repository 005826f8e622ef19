"""Sessions, budgets, leaders and clocks do as they please; the judge of `world` looks after every step.

``STINT_SIMULATION=long`` looks much longer; a failure prints the steps that led to it.
"""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stint.budgets.budget import Budget
from unit.budgets.kit import SYSTEM, budget
from unit.budgets.world import World

LONG = os.environ.get("STINT_SIMULATION") == "long"
ROUNDS = 400
"""So many rounds may it take until everybody has run."""

namespaces = st.sampled_from("ab")
shares = st.sampled_from([Decimal(0), Decimal("0.3"), Decimal(1)])
amounts_ = st.sampled_from(["1", "2", "4"])
cost_windows = st.sampled_from([{"window": "1h"}, {"calendar": "Daily"}])
limits = st.fixed_dictionaries(
    {
        "busy": st.one_of(st.none(), amounts_),
        "cost": st.one_of(st.none(), st.sampled_from(["3", "5", "8"])),
        "starts": st.booleans(),
        "rate": st.booleans(),
    }
)
NAMES = (("all", SYSTEM), ("more", SYSTEM), ("mine", "a"))


def made(name: tuple[str, str], given: dict[str, Any], cost_window: dict[str, str], per: list[str], at_limit: str) -> Budget:
    found: list[dict[str, str]] = []
    if given["cost"]:
        found.append({"name": "cost", "resource": "cost", "limit": given["cost"], **cost_window})
    if given["starts"]:
        found.append({"name": "starts", "resource": "sessions", "limit": "6", "calendar": "Daily"})
    if given["rate"]:
        found.append({"name": "rate", "resource": "sessions", "limit": "6", "window": "1m"})
    if given["busy"] or not found:
        found.append({"name": "busy", "resource": "concurrency", "limit": given["busy"] or "2"})
    return budget(*found, name=name[0], namespace=name[1], per=per, atLimit=at_limit)


pers = st.sampled_from([[], ["Namespace"]])
names = st.sampled_from(NAMES)
ways = st.sampled_from(["Queue", "Queue", "Queue", "Reject"])


class Budgets(RuleBasedStateMachine):
    """One cluster."""

    @initialize(first=limits, second=limits, window=cost_windows, per=pers)
    def begin(self, first: dict[str, Any], second: dict[str, Any], window: dict[str, str], per: list[str]) -> None:
        self.world = World()
        self.world.put_budget(made(NAMES[0], first, window, per, "Queue"))
        self.world.put_budget(made(NAMES[2], second, window, [], "Queue"))

    @rule(namespace=namespaces, number=st.integers(1, 5), priority=st.sampled_from([0, 0, 5]), cap=st.sampled_from([None, Decimal(1), Decimal(3)]))
    def create(self, namespace: str, number: int, priority: int, cap: Decimal | None) -> None:
        for _ in range(number):
            self.world.create(namespace, priority, cap)

    @rule()
    def decide(self) -> None:
        decisions = self.world.pump()
        self.world.within_limits(decisions)
        self.world.in_order(decisions)

    @rule(works=st.booleans())
    def write(self, works: bool) -> None:
        for key in self.world.budgets:
            self.world.write(key, self.world.leader, works)

    @rule(most=st.integers(1, 3), seen=st.booleans())
    def create_pods(self, most: int, seen: bool) -> None:
        self.world.create_pods(most, seen)

    @rule(seen=st.booleans())
    def start(self, seen: bool) -> None:
        """All that it takes, without trouble."""
        self.decide()
        self.write(works=True)
        self.create_pods(100, seen)

    @rule(pick=st.integers(0, 5), share=shares, finished=st.booleans())
    def end(self, pick: int, share: Decimal, finished: bool) -> None:
        running = [life for life in self.world.lives.values() if life.running]
        if running:
            self.world.end(running[pick % len(running)], share, finished)

    @rule(pick=st.integers(0, 5), crash=st.sampled_from([False, False, True]))
    def delete(self, pick: int, crash: bool) -> None:
        lives = list(self.world.lives.values())
        if lives:
            self.world.delete(lives[pick % len(lives)], crash)

    @rule(name=names, given=limits, window=cost_windows, per=pers, at_limit=ways)
    def put_budget(self, name: tuple[str, str], given: dict[str, Any], window: dict[str, str], per: list[str], at_limit: str) -> None:
        self.world.put_budget(made(name, given, window, per, at_limit))

    @rule(name=names)
    def delete_budget(self, name: tuple[str, str]) -> None:
        for key in [key for key in self.world.budgets if key.name == name[0]]:
            self.world.delete_budget(key)

    @rule(seconds=st.sampled_from([1, 11, 61, 1800, 3601, 86400]))
    def pass_time(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(seconds=st.sampled_from([-1, -61, -3601, -86400, 30 * 86400]))
    def jump(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @rule()
    def a_former_leader_goes_on(self) -> None:
        """It does not know yet; none of its writes arrives."""
        old = self.world.old
        if old is None:
            return
        before = {key: dict(status) for key, status in self.world.statuses.items()}
        old.queue.pump(self.world.now)
        for key in self.world.statuses:
            self.world.write(key, old)
        assert self.world.statuses == before

    @invariant()
    def the_sums_are_right(self) -> None:
        if hasattr(self, "world"):
            self.world.judge()

    def teardown(self) -> None:
        """In the end everybody has run."""
        if not hasattr(self, "world"):
            return
        world = self.world
        for _ in range(ROUNDS):
            self.start(seen=True)
            for life in [life for life in world.lives.values() if life.running]:
                world.end(life, Decimal(1), finished=True)
            if all(life.finished for life in world.lives.values()):
                break
            due = world.leader.queue.next_wakeup()
            world.pass_time(max(1.0, (due - world.now).total_seconds()) if due else 1.0)
        world.judge()
        unfinished = [life for life in world.lives.values() if not life.finished]
        assert not unfinished, f"never runs: {unfinished[0]}"
        assert len(world.leader.queue) == 0
        world.restart()
        world.judge()


TestBudgets = Budgets.TestCase
TestBudgets.settings = settings(
    max_examples=1_000 if LONG else 200,
    stateful_step_count=60 if LONG else 30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
