"""What kind is asked to do, through pytest-kind's own class, seen by stand-ins for the programs."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from cluster.provision import kind as module
from cluster.provision.kind import CONFIG, Kind
from imagebuild.build import Built

KUBECONFIG = """\
{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: k, cluster: {server: "http://127.0.0.1:1"}}],
 users: [{name: u, user: {}}], contexts: [{name: c, context: {cluster: k, user: u}}]}
"""
STAND_IN = """\
#!/bin/sh
echo "{program} $*" >> {folder}/log
case "{program} $1 $2" in
    "kind get clusters") cat {folder}/clusters ;;
    "kind create cluster" | "kind export kubeconfig") cat {folder}/template > {kubeconfig} ;;
esac
"""


class Machine:
    """A machine with stand-ins in PATH."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.kubeconfig = folder / "state/stint/demo/t.kubeconfig"
        (folder / "template").write_text(KUBECONFIG)
        (folder / "clusters").write_text("")
        for program in ("kind", "docker", "kubectl"):
            file = folder / program
            file.write_text(STAND_IN.format(program=program, folder=folder, kubeconfig=self.kubeconfig))
            file.chmod(0o755)

    def has_cluster(self, name: str) -> None:
        (self._folder / "clusters").write_text(f"other\n{name}\n")

    def calls(self) -> list[str]:
        """What the programs were asked, without questions."""
        return [line for line in (self._folder / "log").read_text().splitlines() if not line.startswith("kind get")]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Machine(tmp_path)


def images_are(monkeypatch: pytest.MonkeyPatch, **archives: str | None) -> None:
    """Images that are built already; one without an archive is kept by Docker."""

    def built(names: Iterable[str], *_: object) -> dict[str, Built]:
        return {name: Built(f"stint/{name}:1", archives[name], None, "nothing", 0) for name in names}

    monkeypatch.setattr(module, "build", built)
    monkeypatch.setattr(module, "choose_engine", lambda works: "docker")


def test_a_cluster_is_made_with_two_nodes_by_the_kind_of_this_machine(machine: Machine) -> None:
    cluster = Kind("t")
    cluster.start()
    assert machine.calls() == [f"kind create cluster --name=t --kubeconfig={machine.kubeconfig} --config {CONFIG}"]
    assert cluster.kubeconfig.read_text() == KUBECONFIG
    assert CONFIG.read_text().count("role:") == 2


def test_the_image_of_the_nodes_can_be_chosen(machine: Machine) -> None:
    Kind("t", image="kindest/node:v1.34.0").start()
    assert "--image=kindest/node:v1.34.0" in machine.calls()[0]


def test_a_kept_cluster_is_used_again_even_if_its_kubeconfig_was_lost(machine: Machine) -> None:
    machine.has_cluster("t")
    cluster = Kind("t")
    cluster.start()
    assert machine.calls() == [f"kind export kubeconfig --name t --kubeconfig {machine.kubeconfig}"]
    assert cluster.kubeconfig.read_text() == KUBECONFIG


def test_images_are_loaded_from_docker_or_from_an_archive(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    images_are(monkeypatch, operator=None, agent="/cache/agent.tar")
    cluster = Kind("t")
    cluster.start()
    assert cluster.images(["operator", "agent"]) == {"operator": "stint/operator:1", "agent": "stint/agent:1"}
    assert machine.calls()[1:] == ["kind load docker-image --name t stint/operator:1", "kind load image-archive /cache/agent.tar --name t"]


def test_a_cluster_that_was_there_before_is_left_and_the_run_says_so(machine: Machine) -> None:
    machine.has_cluster("t")
    cluster = Kind("t")
    cluster.start()
    assert cluster.remove() == ["the kind cluster t is kept, because it was there before the run: kind delete cluster --name t"]
    assert not any("delete" in line for line in machine.calls())
    assert machine.kubeconfig.exists()


@pytest.mark.parametrize("keep", [False, True])
def test_the_cluster_is_removed_unless_it_is_kept(machine: Machine, keep: bool) -> None:
    cluster = Kind("t", keep=keep)
    cluster.start()
    assert cluster.remove() == []
    assert (f"kind delete cluster --name=t --kubeconfig={machine.kubeconfig}" in machine.calls()) == (not keep)
    assert machine.kubeconfig.exists() == keep


def test_nothing_is_left_in_the_folder_of_the_checkout(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkout").mkdir()
    monkeypatch.chdir(tmp_path / "checkout")
    Kind("t").start()
    assert list((tmp_path / "checkout").iterdir()) == []
