"""What Docker and kind are asked to do, seen by stand-ins for both programs."""

import os
from pathlib import Path

import pytest

from demonstration.clusters import Kind
from demonstration.errors import DemoError
from imagebuild import build as building
from imagebuild import recipe
from imagebuild.build import Built, build
from steps import Steps

STAND_IN = """\
#!/bin/sh
echo "{program} $*" >> {log}
case "{program} $*" in
    "docker version"*) echo arm64 ;;
    "docker image inspect"*) exit {inspect} ;;
    "kind get clusters") echo {clusters} ;;
esac
"""


class Programs:
    """Stand-ins in PATH, and what they were called with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "log"

    def install(self, inspect: int = 1, clusters: str = "") -> None:
        for program in ("docker", "kind"):
            file = self._folder / program
            file.write_text(STAND_IN.format(program=program, log=self._log, inspect=inspect, clusters=clusters))
            file.chmod(0o755)

    def calls(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Programs(tmp_path / "bin")


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Staging needs a network: it is left out."""
    monkeypatch.setattr(building, "stage", lambda image, machine, cache: tmp_path / "context")
    return tmp_path / "context"


def test_docker_builds_the_dockerfile_from_the_staged_context(programs: Programs, staged: Path) -> None:
    programs.install(inspect=1)
    built = build(["mockapi"], "docker", Steps(), "registry.example/python:3.13")["mockapi"]
    call = programs.calls()[-1]
    assert call.startswith(f"docker build --file {recipe.REPO}/images/mockapi/Dockerfile --tag {built.reference} ")
    assert "--build-arg BASE=registry.example/python:3.13" in call
    assert call.endswith(str(staged))
    assert (built.archive, built.delta, built.built) == (None, None, "everything")


def test_without_a_base_of_the_user_the_dockerfile_s_own_is_taken(programs: Programs, staged: Path) -> None:
    programs.install(inspect=1)
    build(["mockapi"], "docker", Steps())
    assert "BASE=" not in programs.calls()[-1]


def test_an_image_that_docker_has_is_not_built_again(programs: Programs, staged: Path) -> None:
    programs.install(inspect=0)
    assert build(["mockapi"], "docker", Steps())["mockapi"].built == "nothing"
    assert not any(call.startswith("docker build") for call in programs.calls())


def test_the_image_is_for_the_machine_on_which_docker_runs(programs: Programs, staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.install(inspect=1)
    seen: list[recipe.Machine] = []

    def stage(image: recipe.Image, machine: recipe.Machine, cache: Path) -> Path:
        seen.append(machine)
        return staged

    monkeypatch.setattr(building, "stage", stage)
    build(["mockapi"], "docker", Steps())
    assert seen == [recipe.machine_named("aarch64")]


def test_kind_is_made_once_with_a_kubeconfig_of_the_demo_s_own(programs: Programs) -> None:
    programs.install(clusters="other")
    cluster = Kind("stint")
    cluster.start(Steps())
    assert programs.calls()[-1] == f"kind create cluster --name stint --kubeconfig {cluster.record.kubeconfig} --wait 180s"
    programs.install(clusters="stint")
    cluster.start(Steps())
    assert programs.calls()[-1] == f"kind export kubeconfig --name stint --kubeconfig {cluster.record.kubeconfig}"
    cluster.remove(Steps())
    assert programs.calls()[-1] == f"kind delete cluster --name stint --kubeconfig {cluster.record.kubeconfig}"


def test_kind_takes_images_from_docker_or_from_an_archive(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.install()
    images = {
        "operator": Built("localhost/stint/operator:1", None, None, "nothing", 0),
        "agent": Built("localhost/stint/agent:1", "/cache/agent.tar", "/cache/agent.delta.tar", "nothing", 0),
    }
    monkeypatch.setattr("demonstration.clusters.build", lambda names, engine, steps: images)
    monkeypatch.setattr("demonstration.clusters.choose_engine", lambda works: "docker")
    references = Kind("stint").images(Steps())
    assert references == {"operator": "localhost/stint/operator:1", "agent": "localhost/stint/agent:1"}
    assert programs.calls() == [
        "kind load docker-image localhost/stint/operator:1 --name stint",
        "kind load image-archive /cache/agent.tar --name stint",
    ]


def test_a_program_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DemoError, match="The program kind is not installed any more"):
        Kind("stint").remove(Steps())
