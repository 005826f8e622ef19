"""What a user sees who types something wrong, or runs it in the wrong place."""

import sys
from pathlib import Path

import pytest

from devcluster.__main__ import command_after_dashes, main, parser


@pytest.fixture(autouse=True)
def _scratch_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    monkeypatch.setattr(sys, "argv", ["devcluster", *argv])
    return main()


def test_another_system_than_linux_is_one_sentence_and_exit_code_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("devcluster.requirements.sys.platform", "darwin")
    assert run(monkeypatch, "up") == 2
    assert "runs on Linux only" in capsys.readouterr().err


def test_another_user_than_root_is_one_sentence_and_exit_code_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("devcluster.requirements.os.geteuid", lambda: 1000)
    assert run(monkeypatch, "up") == 2
    assert "must be started by root" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["up", "--control-plane-only"], "A cluster needs a node"),
        (["up", "--nodes", "-1"], "can't be negative"),
        (["up", "--nodes", "50"], "use --kwok for more"),
        (["up", "--kwok-stages", "extra.yaml"], "needs --kwok"),
        (["up", "--name", "No_Good"], "is not allowed"),
        (["exec", "--name", "absent", "--", "true"], "Cluster absent is not up: run"),
        (["exec"], "Give a command to run"),
        (["kubeconfig", "--name", "absent"], "Cluster absent is not up: run"),
        (["load", "--name", "absent", "image.tar"], "Cluster absent is not up: run"),
    ],
)
def test_a_mistake_is_a_sentence_that_says_what_to_do(
    argv: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("devcluster.requirements.os.geteuid", lambda: 0)
    assert run(monkeypatch, *argv) == 1
    assert sentence in capsys.readouterr().err


def test_status_of_a_cluster_that_is_not_up_is_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "status", "--name", "absent") == 1
    assert "is not up" in capsys.readouterr().out


def test_real_nodes_and_no_real_nodes_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["up", "--nodes", "2", "--control-plane-only"])
    assert "not allowed with" in capsys.readouterr().err


def test_the_command_after_the_dashes_is_taken_as_it_stands() -> None:
    arguments = parser().parse_args(["exec", "--name", "other", "--", "kubectl", "get", "--name", "x", "--", "y"])
    assert arguments.name == "other"
    assert command_after_dashes(arguments.argv) == ["kubectl", "get", "--name", "x", "--", "y"]
