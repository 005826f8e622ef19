"""What a benchmark is: a name, the figures it yields, and a function that measures them once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perf.figures import Figure, Values


@dataclass(frozen=True, slots=True)
class Setting:
    """What the command line says about every measurement."""

    cluster: str
    """Name of the embedded cluster; it is made and removed for each measurement."""
    folder: Path
    """For logs and profiles."""
    scale: float = 1.0
    """Share of the full size: less is for trying the benchmarks themselves out."""
    profile: bool = False

    def size(self, full: int) -> int:
        return max(10, round(full * self.scale))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: its figures, and details that only the JSON shows."""

    values: Values
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One section of docs/benchmarks.md."""

    name: str
    title: str
    about: str
    """What was done, so that a reader can judge the figures."""
    figures: tuple[Figure, ...]
    measure: Callable[[Setting], Outcome]


class CannotMeasure(Exception):
    """A benchmark needs something that is not here; the message says what."""


def say(text: str) -> None:
    """Progress goes to stderr."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
