"""The commands of the operator image."""

from __future__ import annotations

import runpy
import subprocess
import sys

import pytest

import stint.admission.main
import stint.finalizers
import stint.gateway.app
import stint.main
import stint.telemetry.logs
from stint.__main__ import USAGE, main
from stint.settings import Settings


@pytest.mark.parametrize("words", [[], ["--help"], ["Controller"], ["controller", "more"], ["gateway", "x"]])
def test_anything_unknown_shows_the_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == USAGE + "\n"


def test_the_controller_logs_at_its_level_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    async def controller() -> int:
        steps.append("run")
        return 1

    monkeypatch.setattr(stint.telemetry.logs, "setup", lambda level: steps.append(f"log {level}"))
    monkeypatch.setattr("stint.settings.settings", lambda: Settings(log_level="DEBUG"))
    monkeypatch.setattr(stint.main, "controller", controller)
    assert main(["controller"]) == 1
    assert steps == ["log DEBUG", "run"]


def test_admission_logs_at_its_level_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    async def admission() -> int:
        steps.append("run")
        return 1

    monkeypatch.setattr(stint.telemetry.logs, "setup", lambda level: steps.append(f"log {level}"))
    monkeypatch.setattr("stint.settings.settings", lambda: Settings(log_level="DEBUG"))
    monkeypatch.setattr(stint.admission.main, "admission", admission)
    assert main(["admission"]) == 1
    assert steps == ["log DEBUG", "run"]


def test_the_gateways_code_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stint.gateway.app, "main", lambda: 78)
    assert main(["gateway"]) == 78


def test_releasing_finalizers_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    async def release_all() -> int:
        return 1

    monkeypatch.setattr(stint.finalizers, "release_all", release_all)
    assert main(["release-finalizers"]) == 1


def test_without_arguments_of_its_own_it_reads_those_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stint", "gateway"])
    monkeypatch.setattr(stint.gateway.app, "main", lambda: 0)
    assert main() == 0


def test_as_a_module_it_ends_with_the_commands_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["stint"])
    monkeypatch.delitem(sys.modules, "stint.__main__")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("stint", run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err == USAGE + "\n"


def test_a_gateway_never_loads_the_controller() -> None:
    """It must start at once and stay small: one runs beside every agent."""
    code = (
        "import sys, stint.gateway.app\n"
        "stint.gateway.app.main = lambda: 0\n"
        "from stint.__main__ import main\n"
        "main(['gateway'])\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('kopf', 'kubernetes') or name in ('stint.main', 'stint.assembly')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert done.stdout == "[]\n"
