"""What a measurement with a real node needs is looked for before the cluster is started."""

from pathlib import Path

import pytest

from perf import results, run
from perf.benchmark import Benchmark, CannotMeasure, Outcome, Setting
from perf.real_bed import RealBed
from perf.real_pods import REAL_PODS


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine without buildah; what is asked of the cluster."""
    asked: list[str] = []

    class Asked:
        def __init__(self, *_: object, **__: object) -> None: ...

        def down(self) -> None:
            asked.append("down")

        def start(self) -> None:
            asked.append("start")

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("perf.real_bed.Cluster", Asked)
    monkeypatch.setattr("perf.real_bed.Embedded", Asked)
    return asked


def test_without_buildah_no_cluster_is_started(started: list[str]) -> None:
    with pytest.raises(CannotMeasure, match="buildah"), RealBed("t"):
        pass
    assert started == []


def test_a_benchmark_that_cannot_be_measured_does_not_keep_the_others_from_it(
    started: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # given real-pods, and another one after it
    measured: list[Setting] = []

    def measure(setting: Setting) -> Outcome:
        measured.append(setting)
        return Outcome({})

    other = Benchmark("other", "Other", "about", (), measure)
    monkeypatch.setattr(run, "BENCHMARKS", {REAL_PODS.name: REAL_PODS, "other": other})
    monkeypatch.setattr(run, "LOOK", 0.01)
    monkeypatch.setattr(results, "JSON_FOLDER", tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    # when
    code = run.main(["--small"])
    # then
    assert (code, len(measured), started) == (1, 1, [])
    assert f"{REAL_PODS.name}: not measured: Stint's images are built with buildah" in capsys.readouterr().err
