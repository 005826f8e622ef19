"""range.json: what each gated figure may be, the mean of at least five runs and a fifth more (or less, where more is better)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

from perf.benchmark import Benchmark
from perf.figures import Figure, written
from perf.results import Measured

FILE = Path(__file__).with_name("range.json")
SLACK = 0.2
FEWEST_RUNS = 5


@dataclass(frozen=True, slots=True)
class Gate:
    """One limit; exactly one of the two is set."""

    mean: float
    at_most: float | None = None
    at_least: float | None = None

    def broken_by(self, value: float) -> str:
        """Why this value does not pass; empty when it does."""
        if self.at_most is not None and value > self.at_most:
            return f"{written(value)} is more than {written(self.at_most)}"
        if self.at_least is not None and value < self.at_least:
            return f"{written(value)} is less than {written(self.at_least)}"
        return ""


Gates = dict[str, dict[str, Gate]]
"""By benchmark and figure."""


def load() -> Gates:
    """The gates of the file; none if there is no file."""
    if not FILE.exists():
        return {}
    return {name: {figure: Gate(**gate) for figure, gate in gates.items()} for name, gates in json.loads(FILE.read_text()).items()}


def save(gates: Gates) -> None:
    content = {
        name: {figure: {key: value for key, value in asdict(gate).items() if value is not None} for figure, gate in found.items()}
        for name, found in sorted(gates.items())
    }
    FILE.write_text(json.dumps(content, indent=1) + "\n")


def gates_of(benchmark: Benchmark, measured: Measured) -> dict[str, Gate]:
    """Gates from these runs. Raises `ValueError` when they are too few."""
    if len(measured.runs) < FEWEST_RUNS:
        raise ValueError(f"{benchmark.name}: gates need at least {FEWEST_RUNS} runs, there are {len(measured.runs)}: add --runs {FEWEST_RUNS}")
    return {figure.name: _gate(figure, [run[figure.name] for run in measured.runs]) for figure in benchmark.figures if figure.gated}


def broken(benchmark: Benchmark, measured: Measured, gates: dict[str, Gate]) -> list[str]:
    """A sentence for each figure whose median does not pass its gate."""
    found = []
    for figure in benchmark.figures:
        if figure.name not in gates or figure.name not in measured.summary:
            continue
        why = gates[figure.name].broken_by(measured.summary[figure.name].median)
        if why:
            found.append(f"{benchmark.name}: {figure.title}: {why} {figure.unit}".rstrip())
    return found


def _gate(figure: Figure, values: Sequence[float]) -> Gate:
    middle = round(mean(values), 4)
    if figure.better == "higher":
        return Gate(middle, at_least=round(middle * (1 - SLACK), 4))
    return Gate(middle, at_most=round(middle * (1 + SLACK), 4))
