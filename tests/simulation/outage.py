"""A provider that comes and goes, sessions that want it, and what must be true of its circuits after every step."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from simulation import pod_status
from simulation.api import PROVIDERS, SESSIONS
from simulation.pod_status import Json, stamp
from simulation.truth import Truth
from simulation.world import NAMESPACE, World

FAILURES = 3
BREAKER: Json = {"failures": FAILURES, "window": "10m", "openFor": {"initial": "30s", "factor": 2, "max": "2m"}}
GOOD = pod_status.result(text="done")


@dataclass
class Outage:
    """``kind`` is how the provider fails, empty while it answers."""

    world: World
    breaker: Json = field(default_factory=lambda: dict(BREAKER))
    kind: str = "Overloaded"
    refused: int = 0
    """Requests that it has refused."""
    while_open: int = 0
    """Pods that began while the whole provider's circuit was open."""
    started: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.truth = Truth(self.world)
        self.world.create_secret()
        self.world.create(PROVIDERS, "default", {"breaker": self.breaker})
        self.world.settle()

    def start(self, name: str, **spec: object) -> Json:
        return self.world.create(SESSIONS, name, {"prompt": "x", "workspace": {"ephemeral": True}, "retry": {"limit": 1}, **spec})

    def provider(self) -> Json:
        found: Json = self.world.api.get(PROVIDERS, NAMESPACE, "default").get("status", {})
        return found

    def circuits(self, scope: str = "Provider") -> list[str]:
        return [one["state"] for one in self.provider().get("circuits", ()) if one["scope"] == scope]

    def sessions(self) -> list[Json]:
        return list(self.world.api.of(SESSIONS))

    def live(self) -> list[Json]:
        return [pod for pod in self.world.cluster.pods() if pod["status"]["phase"] in ("Pending", "Running")]

    def fresh(self) -> list[str]:
        """When pods were created that have begun since this was asked last."""
        born = {pod["metadata"]["uid"]: pod["metadata"]["creationTimestamp"] for pod in self.world.cluster.pods()}
        found = [created for uid, created in born.items() if uid not in self.started]
        self.started |= set(born)
        return found

    def look(self) -> None:
        """The controller sees everything and acts on it."""
        self.world.settle()
        self.check()

    def check(self) -> None:
        self.truth.check()
        fresh = self.fresh()
        for one in self.provider().get("circuits", ()):
            since = [created for created in fresh if created > one["since"]]
            self.while_open += len(since) if one["state"] == "Open" else 0
            assert one["state"] != "HalfOpen" or len(since) <= 1, f"more than one tries: {since}"

    def step(self, seconds: float = 3, *, ready: bool = True) -> None:
        """Every pod comes one step further; what runs is answered, or refused."""
        now = self.world.loop.clock()
        for pod in self.world.cluster.step(now):
            if self.kind:
                self.refused += 1
                self.world.cluster.refuse(pod, self.kind, now)
            elif self.world.cluster.life(pod).requests == 0:
                self.world.cluster.serve(pod, Decimal("0.01"))
                if ready:
                    self.world.cluster.become_ready(pod)
            else:
                self.world.cluster.end(pod, GOOD, now)
        self.look()
        self.world.pass_time(seconds)
        self.look()

    def go_on_to_the_end(self, rounds: int = 400) -> None:
        for _ in range(rounds):
            if all("completionTime" in one.get("status", {}) for one in self.sessions()) and not self.live():
                return
            self.step()
        raise AssertionError([(one["metadata"]["name"], one.get("status", {}).get("conditions", [])[-2:]) for one in self.sessions()])

    def window(self, pod: Json, status: str, seconds: int) -> Json:
        """A used-up window, in the report of this pod."""
        now = self.world.loop.clock()
        told = {"status": status, "utilization": 100, "resetsAt": stamp(now + timedelta(seconds=seconds)), "seen": stamp(now)}
        self.world.cluster.life(pod).windows = {"FiveHour": told}
        return told
