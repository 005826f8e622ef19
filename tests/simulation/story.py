"""A story that takes its course, however often the controller is killed on the way: pods are scheduled, start and end as it was agreed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from simulation import pod_status
from simulation.api import PROVIDERS, SESSIONS, Write
from simulation.pod_status import Json
from simulation.truth import Truth
from simulation.world import NAMESPACE, World
from stint.kube.resources import PODS

ROUNDS = 60
GOOD = pod_status.result(text="done")


@dataclass
class Story:
    """One world; ``ends`` says how the attempts of a session end, by name and attempt (a success, if nothing is said; None: it goes on)."""

    world: World
    ends: dict[tuple[str, int], str | None] = field(default_factory=dict)
    cost: Decimal = Decimal("0.25")

    def __post_init__(self) -> None:
        self.truth = Truth(self.world)
        self.world.create_secret()
        self.world.create(PROVIDERS, "default", {})
        self.world.settle()

    def start(self, name: str = "a", **spec: object) -> Json:
        created = self.world.create(SESSIONS, name, {"prompt": "x", **spec})
        self.look()
        return created

    def status(self, name: str = "a") -> Json:
        found: Json = self.world.session(name).get("status", {})
        return found

    def phase(self, name: str = "a") -> str:
        return str(self.status(name).get("phase"))

    def outcomes(self, name: str = "a") -> list[str]:
        return [entry["outcome"] for entry in self.status(name).get("history", ())]

    def pods(self, owner: Json | None = None) -> list[str]:
        """Names of the pods that are there, of one session or of all."""
        uid = owner["metadata"]["uid"] if owner else None
        return sorted(pod["metadata"]["name"] for pod in self.world.api.of(PODS) if uid in (None, pod["metadata"]["ownerReferences"][0]["uid"]))

    def look(self) -> None:
        """The controller sees everything and acts on it."""
        self.world.settle()
        self.truth.check()

    def go_on_until(self, reached: Callable[[], bool]) -> None:
        """Let the world take its course."""
        for _ in range(ROUNDS):
            self.look()
            if reached():
                return
            self._every_pod_takes_a_step()
            self.world.api.collect_garbage()
            self.look()
            if reached():
                return
            self.world.pass_time(20)
        raise AssertionError(f"it does not come to that; phases: {[item.get('status', {}).get('phase') for item in self.world.api.of(SESSIONS)]}")

    def go_on_to(self, phase: str, name: str = "a") -> None:
        self.go_on_until(lambda: self.phase(name) == phase)

    def go_on_to_the_end(self) -> None:
        """Until every session has ended and no pod works any more; then nobody writes anything."""
        self.go_on_until(self._over)
        assert self.world.resync() == []
        for session in self.world.api.of(SESSIONS):
            self.truth.check_the_end(session)

    def _over(self) -> bool:
        working = [pod for pod in self.world.cluster.pods() if pod["status"]["phase"] in ("Pending", "Running")]
        return not working and all("completionTime" in session.get("status", {}) for session in self.world.api.of(SESSIONS))

    def _every_pod_takes_a_step(self) -> None:
        for pod in self.world.cluster.step(self.world.loop.clock()):
            self._work(pod)

    def _work(self, pod: Json) -> None:
        cluster, labels = self.world.cluster, pod["metadata"]["labels"]
        end = self.ends.get((labels["stint.dev/session"], int(labels["stint.dev/attempt"])), GOOD)
        if cluster.life(pod).requests == 0:
            cluster.serve(pod, self.cost)
        if end is not None:
            cluster.end(pod, end, self.world.loop.clock())


def by_controller(writes: list[Write], since: int = 0) -> list[tuple[str, str]]:
    """Verb and resource of every write from then on, but those of users."""
    return [(write.verb, write.resource.plural) for write in writes[since:] if (write.verb, write.resource) != ("create", SESSIONS)]


__all__ = ["GOOD", "NAMESPACE", "Story", "by_controller"]
