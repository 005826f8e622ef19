"""What is measured: each figure has one name, a unit, a direction and, where the design sets one, a goal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Better = Literal["lower", "higher", ""]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a benchmark's table."""

    name: str
    """In JSON and in range.json, for example ``cpu_ms_per_session``."""
    title: str
    unit: str = ""
    better: Better = ""
    """Empty: told, but neither good nor bad."""
    goal: float | None = None
    gated: bool = False
    """Whether range.json holds a gate for it. Figures that swing with whatever else the machine does have none."""

    def meets(self, value: float) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None or not self.better:
            return None
        return value <= self.goal if self.better == "lower" else value >= self.goal


@dataclass(frozen=True, slots=True)
class Summary:
    """Median and spread of one figure over all runs."""

    median: float
    low: float
    high: float
    runs: int


Values = dict[str, float]
"""The figures of one run, by name."""


def summarize(runs: Sequence[Values]) -> dict[str, Summary]:
    """Over all runs; a figure that a run lacks is left out of it."""
    names = dict.fromkeys(name for run in runs for name in run)
    found = {}
    for name in names:
        values = [run[name] for run in runs if name in run]
        found[name] = Summary(median(values), min(values), max(values), len(values))
    return found


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that is not smaller than ``percent`` of all values (nearest rank). NaN for none."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    rank = max(1, math.ceil(percent / 100 * len(ordered)))
    return ordered[rank - 1]


def written(value: float) -> str:
    """For people: three significant digits, no more."""
    if math.isnan(value):
        return "–"
    if value == int(value) and abs(value) < 1_000_000:
        return f"{int(value):,}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 3)}f}"
