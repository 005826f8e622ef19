"""Gates are the mean of enough runs and a fifth more, or less where more is better."""

from pathlib import Path

import pytest

from perf import ranges
from perf.benchmark import Benchmark, Outcome, Setting
from perf.figures import Figure
from perf.machine import Machine
from perf.ranges import Gate
from perf.results import Measured


def nothing(_: Setting) -> Outcome:
    raise AssertionError


FIGURES = (
    Figure("cpu", "CPU per session", "ms", "lower", gated=True),
    Figure("ratio", "beside Jobs", "×", "higher", gated=True),
    Figure("rate", "per second", "/s", "higher"),
)
BENCHMARK = Benchmark("burst", "Burst", "", FIGURES, nothing)


def measured(*runs: dict[str, float]) -> Measured:
    return Measured("burst", "", Machine(2, "", 8, "6.1", "3.13"), [0.0], list(runs))


def run(cpu: float, ratio: float) -> dict[str, float]:
    return {"cpu": cpu, "ratio": ratio, "rate": 100.0}


def test_gates_follow_from_five_runs_of_the_gated_figures() -> None:
    gates = ranges.gates_of(BENCHMARK, measured(*[run(4.0, 1.0)] * 4, run(9.0, 0.5)))
    assert gates == {"cpu": Gate(5.0, at_most=6.0), "ratio": Gate(0.9, at_least=0.72)}


def test_four_runs_make_no_gate() -> None:
    with pytest.raises(ValueError, match="add --runs 5"):
        ranges.gates_of(BENCHMARK, measured(*[run(4.0, 1.0)] * 4))


@pytest.mark.parametrize(
    ("cpu", "ratio", "problems"),
    [
        (6.0, 0.8, []),
        (6.5, 0.8, ["burst: CPU per session: 6.50 is more than 6 ms"]),
        (7.0, 0.7, ["burst: CPU per session: 7 is more than 6 ms", "burst: beside Jobs: 0.700 is less than 0.800 ×"]),
    ],
)
def test_a_median_beyond_its_gate_is_named(cpu: float, ratio: float, problems: list[str]) -> None:
    gates = {"cpu": Gate(5.0, at_most=6.0), "ratio": Gate(1.0, at_least=0.8), "gone": Gate(1.0, at_most=1.0)}
    assert ranges.broken(BENCHMARK, measured(run(cpu, ratio)), gates) == problems


def test_gates_survive_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "FILE", tmp_path / "range.json")
    assert ranges.load() == {}
    gates = {"burst": {"cpu": Gate(5.0, at_most=6.0)}, "scale": {"ratio": Gate(1.0, at_least=0.8)}}
    ranges.save(gates)
    assert ranges.load() == gates
    assert "null" not in (tmp_path / "range.json").read_text()
