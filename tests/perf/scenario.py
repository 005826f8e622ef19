"""What the load generator is asked to do and what it answers: both processes share these types and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

from perf.manifests import Kind


@dataclass(frozen=True, slots=True)
class Scenario:
    """Create ``count`` objects, see when each has its pod and, if asked to, when all of them have ended."""

    kind: Kind
    count: int
    prefix: str
    """Of names; two loads on one cluster need two."""
    rate: float | None = None
    """Objects a second, at fixed moments whatever the answers take; None: as fast as ``in_flight`` callers can."""
    in_flight: int = 16
    until_done: bool = False
    seconds: float = 600.0
    """When to give up."""


@dataclass(slots=True)
class Record:
    """What happened, in seconds of the machine's monotonic clock, which all processes share. Lists are in the order of the objects."""

    sent: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    pods: list[float] = field(default_factory=list)
    """When the watch showed the object's pod for the first time; 0 for never."""
    done: float | None = None
    """When all had ended well; None if nobody asked or not all did."""
    errors: list[str] = field(default_factory=list)

    @property
    def posts(self) -> list[float]:
        """Seconds that each caller waited for the answer to its POST."""
        return [answered - sent for sent, answered in zip(self.sent, self.answered, strict=True) if answered]

    @property
    def missing(self) -> int:
        """Objects that never got a pod."""
        return sum(1 for seen in self.pods if not seen)

    @property
    def window(self) -> float:
        """Seconds from the first POST to the last pod."""
        return max(self.pods) - min(self.sent)

    @property
    def rate(self) -> float:
        """Objects with a pod per second."""
        return (len(self.pods) - self.missing) / self.window

    @property
    def starts(self) -> list[float]:
        """Seconds from the answer to the POST to the pod."""
        return [seen - answered for seen, answered in zip(self.pods, self.answered, strict=True) if seen and answered]
