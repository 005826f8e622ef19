"""A provider, sessions that want to ask it, and a clock that the test sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from stint.engine.cache import ObjectCache
from stint.engine.keys import Key
from stint.providers.passage import Passage
from stint.providers.road import Road
from stint.providers.scope import Credential
from stint.providers.status import write_circuits
from stint.providers.traffic import Traffic
from stint.providers.window import Window
from unit.engine.kit import thing

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
PROVIDER = Key("ModelProvider", "team-a", "default")
BREAKER = {"failures": 2, "openFor": {"initial": "30s", "max": "1m"}}


def passage(uid: str, attempt: int = 1, *, namespace: str = "team-a", model: str = "claude-x", priority: int = 0, age: float = 0) -> Passage:
    created = NOW - timedelta(seconds=age)
    return Passage(PROVIDER, Key("AgentSession", namespace, uid), uid, attempt, model, Credential(namespace, "anthropic"), priority, created)


@dataclass
class Crossing:
    """Traffic of one provider; ``looks`` are the keys that were to be looked at since they were read last."""

    breaker: dict[str, Any] = field(default_factory=lambda: dict(BREAKER))
    namespace: str = "team-a"
    now: datetime = NOW
    looks: list[Key] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = ObjectCache("ModelProvider")
        self.put()
        self.traffic = Traffic(self.cache, "stint-system", self.looks.append, lambda: self.now)

    def put(self, version: int = 1, status: Any = None, spec: Any = None) -> dict[str, Any]:
        item = thing("default", version, "m-1", "team-a", apiVersion="stint.dev/v1alpha1", kind="ModelProvider", spec=spec or {"breaker": self.breaker})
        item["status"] = status or {}
        self.cache.put(item)
        return item

    @property
    def road(self) -> Road:
        found = self.traffic.road(PROVIDER)
        assert found is not None
        return found

    def fail(self, uid: str, kind: str = "Overloaded", **more: Any) -> None:
        self.traffic.learn(passage(uid, **more), kind, self.now, self.now)

    def open(self) -> None:
        self.fail("x")
        self.fail("y")

    def later(self, seconds: float) -> list[str]:
        """Time passes; the sessions whose turn it is."""
        self.now += timedelta(seconds=seconds)
        return self.tick()

    def tick(self) -> list[str]:
        self.looks.clear()
        self.traffic.tick(PROVIDER, self.now)
        found = [key.name for key in self.looks if key.kind == "AgentSession"]
        self.looks.clear()
        return found

    def written(self) -> None:
        """The status stands as it should be."""
        self.traffic.provider_written(PROVIDER, {"status": {"circuits": write_circuits(self.road.circuits, self.road.breaker, self.now)}})

    def asks(self, uid: str, **more: Any) -> str:
        """A session that wants to start: why it may not (it waits then), or empty."""
        who = passage(uid, **more)
        blocked = self.traffic.blocked(who, self.now)
        if blocked is not None:
            self.traffic.wait(who, self.now)
            return blocked.reason
        return "" if self.traffic.enter(who, self.now) else "pending"

    def window(self, status: Any, seconds: float, **more: Any) -> None:
        told = Window("FiveHour", status, 95, self.now + timedelta(seconds=seconds), self.now)
        self.traffic.tell(passage("teller", **more), [told], self.now)
