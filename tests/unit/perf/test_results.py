"""The page keeps what was not measured anew, and every section names the command that reproduces it."""

from pathlib import Path

import pytest

from perf import results
from perf.benchmark import Benchmark, Outcome, Setting
from perf.figures import Figure
from perf.machine import Machine
from perf.results import Measured

MACHINE = Machine(2, "Some CPU", 8, "6.1", "3.13.0")


def nothing(_: Setting) -> Outcome:
    raise AssertionError


def benchmark(name: str) -> Benchmark:
    figures = (Figure("cpu", "CPU per session", "ms", "lower", goal=4), Figure("rate", "sessions per second", "/s", "higher"))
    return Benchmark(name, f"Title of {name}", "What was done.", figures, nothing)


def taken(name: str, *runs: dict[str, float]) -> Measured:
    return Measured(name, f"python tests/perf/run.py {name}", MACHINE, [0.01, 0.04], list(runs))


def test_one_run_shows_values_and_goals() -> None:
    text = results.section(benchmark("burst"), taken("burst", {"cpu": 3.456, "rate": 100.0}))
    assert "| CPU per session | 3.46 ms | ≤ 4 ms ✓ |" in text
    assert "| sessions per second | 100 /s |  |" in text
    assert "`python tests/perf/run.py burst` on 2 cores (Some CPU), 8 GiB, Linux 6.1, Python 3.13.0" in text
    assert "other work used 4 % of the cores" in text


def test_several_runs_show_median_and_spread() -> None:
    text = results.section(benchmark("burst"), taken("burst", {"cpu": 6.0}, {"cpu": 4.5}, {"cpu": 5.0}))
    assert "| CPU per session | 5 ms | 4.50 – 6 | ≤ 4 ms ✗ |" in text
    assert "sessions per second" not in text


def test_a_page_takes_fresh_sections_and_keeps_the_others_in_order() -> None:
    old = {name: results.section(benchmark(name), taken(name, {"cpu": 9.0})) for name in ("steady", "burst")}
    first = results.page("", ["burst", "steady"], old)
    fresh = {"burst": results.section(benchmark("burst"), taken("burst", {"cpu": 1.0}))}
    second = results.page(first, ["burst", "steady"], fresh)
    assert second.startswith("# Benchmarks")
    assert second.index("Title of burst") < second.index("Title of steady")
    assert second.count("| CPU per session | 9 ms") == 1
    assert second.count("| CPU per session | 1 ms") == 1
    assert results.page(second, ["burst", "steady"], {}) == second


def test_what_is_written_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "JSON_FOLDER", tmp_path / "perf")
    measured = taken("burst", {"cpu": 3.0}, {"cpu": 5.0})
    assert results.read("burst") is None
    assert measured.write() == tmp_path / "perf" / "burst.json"
    assert results.read("burst") == measured


def test_the_page_is_published_where_the_docs_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "PAGE", tmp_path / "benchmarks.md")
    results.publish(["burst"], {"burst": results.section(benchmark("burst"), taken("burst", {"cpu": 3.0}))})
    results.publish(["burst"], {})
    assert (tmp_path / "benchmarks.md").read_text().count("Title of burst") == 1
