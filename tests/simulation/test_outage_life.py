"""Sessions and a provider that comes and goes in every order that Hypothesis can think of, with crashes, lost answers and clocks that jump.

At most one tries, nobody starts while the circuit is open, requests stay few, and once the provider answers all sessions end.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from simulation.api import SESSIONS
from simulation.outage import Outage
from simulation.world import NAMESPACE, quiet_world

LONG = os.environ.get("STINT_SIMULATION") == "long"
KINDS = st.sampled_from(["Overloaded", "Overloaded", "ServerError", "ProviderUnreachable", "RateLimited", "AuthFailed", ""])


class Weather(RuleBasedStateMachine):
    """Users, a cluster, a controller, and a provider that does as it pleases."""

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.outage = Outage(self.stack.enter_context(quiet_world()))
        self.world = self.outage.world
        self.count = 0

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        try:
            self.outage.kind = ""
            for session in self.outage.sessions():
                if session["spec"].get("suspend"):
                    self.world.edit(session["metadata"]["name"], suspend=False)
            self.outage.go_on_to_the_end()
            assert self.outage.while_open == 0, "somebody started while the circuit was open"
        finally:
            self.stack.close()

    @rule(number=st.integers(1, 4), priority=st.integers(0, 2))
    def create(self, number: int, priority: int) -> None:
        for _ in range(number if self.count < 12 else 0):
            self.count += 1
            self.outage.start(f"s{self.count}", priority=priority)
        self.outage.look()

    @rule(kind=KINDS)
    def change(self, kind: str) -> None:
        self.outage.kind = kind

    @rule(seconds=st.sampled_from([0, 1, 5, 20]), ready=st.booleans(), rounds=st.integers(1, 4))
    def go_on(self, seconds: float, ready: bool, rounds: int) -> None:
        for _ in range(rounds):
            self.outage.step(seconds, ready=ready)

    @rule(seconds=st.sampled_from([1, 31, 130]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        self.outage.look()

    @rule(what=st.sampled_from(["restart", "crash_before", "crash_after", "lost_answer"]), number=st.integers(0, 3))
    def fault(self, what: str, number: int) -> None:
        if what == "restart":
            self.world.restart()
        else:
            setattr(self.world.client, what, number)
        self.outage.look()

    @rule(seconds=st.sampled_from([10, 700]))
    def clock(self, seconds: float) -> None:
        self.world.loop.jumped += timedelta(seconds=seconds)
        self.outage.look()

    @rule(pick=st.integers(0, 30), what=st.sampled_from(["suspend", "resume", "delete"]))
    def user(self, pick: int, what: str) -> None:
        sessions = self.outage.sessions()
        if not sessions:
            return
        name = sessions[pick % len(sessions)]["metadata"]["name"]
        if what == "delete":
            self.world.api.delete(SESSIONS, NAMESPACE, name)
            self.world.api.collect_garbage()
        else:
            self.world.edit(name, suspend=what == "suspend")
        self.outage.look()


TestWeather = Weather.TestCase
TestWeather.settings = settings(
    max_examples=200 if LONG else 40, stateful_step_count=60 if LONG else 25, deadline=None, derandomize=not LONG, suppress_health_check=list(HealthCheck)
)
