"""What remains of a benchmark: JSON in build/perf, and a section of docs/benchmarks.md with the command that reproduces it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from perf.benchmark import Benchmark, Outcome
from perf.figures import Figure, Summary, Values, summarize, written
from perf.machine import Machine

ROOT = Path(__file__).parents[2]
JSON_FOLDER = ROOT / "build" / "perf"
PAGE = ROOT / "docs" / "benchmarks.md"
SECTION = re.compile(r"<!-- (?P<name>[\w-]+) -->\n.*?<!-- /(?P=name) -->\n", re.DOTALL)
HEAD = """# Benchmarks

Measured by the tool in `tests/perf`, which also wrote this page: `make bench` measures everything, `make bench ARGS="burst --runs 5"` one
benchmark, and every section names the command that reproduces it. Figures of time depend on the machine, so each stands beside something that
everybody knows, measured in the same run. The embedded cluster is real (API server, etcd, scheduler, controller manager), and fresh for every
run; its Go programs collect garbage a quarter as often as by default (`GOGC=400`). On it the controller runs from source, with the identity and the
rights that the chart gives it.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """All runs of one benchmark."""

    benchmark: str
    command: str
    machine: Machine
    busy: list[float]
    """Share of all cores that other work used just before each run."""
    runs: list[Values]
    details: list[dict[str, Any]] = field(default_factory=list)

    def add(self, busy: float, outcome: Outcome) -> None:
        """One more run."""
        self.busy.append(busy)
        self.runs.append(outcome.values)
        self.details.append(outcome.details)

    @property
    def summary(self) -> dict[str, Summary]:
        return summarize(self.runs)

    def write(self) -> Path:
        JSON_FOLDER.mkdir(parents=True, exist_ok=True)
        path = JSON_FOLDER / f"{self.benchmark}.json"
        content = {**asdict(self), "summary": {name: asdict(summary) for name, summary in self.summary.items()}}
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        return path


def read(name: str) -> Measured | None:
    """What the last measurement of this benchmark wrote; None if there was none."""
    path = JSON_FOLDER / f"{name}.json"
    if not path.exists():
        return None
    content = json.loads(path.read_text())
    content.pop("summary")
    return Measured(**{**content, "machine": Machine(**content["machine"])})


def section(benchmark: Benchmark, measured: Measured) -> str:
    """The Markdown of one benchmark."""
    lines = [
        f"<!-- {benchmark.name} -->",
        f"## {benchmark.title}",
        "",
        benchmark.about,
        "",
        *_table(benchmark.figures, measured.summary, len(measured.runs)),
        "",
        f"`{measured.command}` on {measured.machine.describe()}; {_business(measured.busy)}.",
        f"<!-- /{benchmark.name} -->",
    ]
    return "\n".join(lines) + "\n"


def page(old: str, order: Sequence[str], fresh: dict[str, str]) -> str:
    """The whole page: fresh sections, and the old ones of what was not measured this time."""
    sections = {match["name"]: match.group() for match in SECTION.finditer(old)} | fresh
    return "\n".join([HEAD, *(sections[name] for name in order if name in sections)])


def publish(order: Sequence[str], fresh: dict[str, str]) -> None:
    """Write docs/benchmarks.md."""
    old = PAGE.read_text() if PAGE.exists() else ""
    PAGE.write_text(page(old, order, fresh))


def _table(figures: Sequence[Figure], summary: dict[str, Summary], runs: int) -> list[str]:
    spread = runs > 1
    head = ["| figure | " + ("median | spread" if spread else "value") + " | goal |", "|---|" + "--:|" * (2 if spread else 1) + "---|"]
    return head + [_row(figure, summary[figure.name], spread) for figure in figures if figure.name in summary]


def _row(figure: Figure, found: Summary, spread: bool) -> str:
    unit = f" {figure.unit}" if figure.unit else ""
    cells = [figure.title, f"{written(found.median)}{unit}"]
    if spread:
        cells.append(f"{written(found.low)} – {written(found.high)}")
    met = figure.meets(found.median)
    sign = {True: " ✓", False: " ✗", None: ""}[met]
    bound = "" if figure.goal is None else f"{'≤' if figure.better == 'lower' else '≥'} {written(figure.goal)}{unit}{sign}"
    return f"| {' | '.join([*cells, bound])} |"


def _business(busy: list[float]) -> str:
    runs = f"{len(busy)} run{'s' if len(busy) > 1 else ''}"
    return f"{runs}, other work used {100 * max(busy):.0f} % of the cores before the busiest of them"
