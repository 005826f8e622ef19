"""What is remembered between two commands."""

import dataclasses
import os
from pathlib import Path

import pytest

from devcluster import paths, teardown
from devcluster.errors import DevclusterError
from devcluster.namespaces import ProcessId, process_id
from devcluster.progress import Progress
from devcluster.state import Record, Shape, load, save


def record(process: ProcessId) -> Record:
    return Record(Shape(nodes=2, kwok=3), outer=process, init=process, port=40000, programs="/programs")


def test_a_record_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    saved = dataclasses.replace(record(ProcessId(1, 2)), ready=True)
    save(tmp_path, saved)
    assert load(tmp_path) == saved


def test_a_cluster_that_never_started_has_no_record(tmp_path: Path) -> None:
    assert load(tmp_path) is None


def test_a_process_is_known_by_its_start_time_too() -> None:
    me = process_id(os.getpid())
    assert record(me).running()
    assert not record(ProcessId(me.pid, me.started + 1)).running()


def test_a_re_used_pid_is_never_killed() -> None:
    me = process_id(os.getpid())
    teardown.end(ProcessId(me.pid, me.started + 1))
    assert me.alive()


def test_a_removal_tells_what_it_is_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "state"
    (folder / "logs").mkdir(parents=True)
    assert teardown.remove("nobody-has-this-name", folder, Progress())
    assert not folder.exists()
    told = capsys.readouterr().err
    assert "ending all processes" in told
    assert "removing the files" in told
    assert teardown.remove("nobody-has-this-name", folder, Progress()) is False


@pytest.mark.parametrize("name", ["", "Upper", "under_score", "-edge", "edge-", "a/b", "x" * 31])
def test_names_that_can_not_be_folders_and_hosts_are_refused(name: str) -> None:
    with pytest.raises(DevclusterError, match="is not allowed"):
        paths.state_of(name)


def test_folders_follow_the_xdg_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    assert paths.state_of("one") == tmp_path / "s" / "stint" / "devcluster" / "one"
    assert paths.cache_root() == tmp_path / "c" / "stint" / "devcluster"


@pytest.mark.parametrize(
    ("shape", "text"),
    [(Shape(), "1 node"), (Shape(nodes=2), "2 nodes"), (Shape(nodes=0, kwok=5), "control plane only, 5 kwok nodes")],
)
def test_a_shape_is_described_in_words(shape: Shape, text: str) -> None:
    assert shape.describe() == text
