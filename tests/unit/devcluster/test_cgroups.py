"""Cgroup folders of both versions, on a copy of the file tree instead of the machine's."""

from pathlib import Path

import pytest

from devcluster import cgroups


@pytest.fixture
def version1(tmp_path: Path) -> Path:
    for controller in ("cpu", "cpuset", "memory"):
        (tmp_path / controller).mkdir()
    (tmp_path / "cpuacct").symlink_to("cpu")
    return tmp_path


@pytest.fixture
def version2(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "stint-a").mkdir()
    (tmp_path / "stint-a" / "cgroup.controllers").write_text("cpu memory\n")
    return tmp_path


def test_version_1_gets_a_folder_per_controller_and_node(version1: Path) -> None:
    cgroups.create("a", ["node1", "node2"], version1)
    assert {str(path.relative_to(version1)) for path in version1.glob("*/stint-a/*") if "cpuacct" not in str(path)} == {
        f"{controller}/stint-a/{node}" for controller in ("cpu", "cpuset", "memory") for node in ("node1", "node2")
    }


def test_version_1_fills_empty_cpusets_from_above(version1: Path) -> None:
    (version1 / "cpuset" / "cpuset.cpus").write_text("0-1\n")
    (version1 / "cpuset" / "stint-a").mkdir()
    (version1 / "cpuset" / "stint-a" / "cpuset.cpus").write_text("\n")
    cgroups.create("a", [], version1)
    assert (version1 / "cpuset" / "stint-a" / "cpuset.cpus").read_text() == "0-1\n"


def test_version_2_hands_all_controllers_down(version2: Path) -> None:
    cgroups.create("a", ["node1"], version2)
    for folder in (version2, version2 / "stint-a"):
        assert (folder / "cgroup.subtree_control").read_text() == "+cpu +memory"
    assert (version2 / "stint-a" / "node1").is_dir()


def test_removal_takes_all_of_a_cluster_and_nothing_of_its_neighbour(version1: Path) -> None:
    for name in ("a", "ab"):
        cgroups.create(name, ["node1"], version1)
        (version1 / "memory" / f"stint-{name}" / "node1" / "kubepods" / "pod1").mkdir(parents=True)
    cgroups.remove("a", version1)
    assert not list(version1.glob("*/stint-a"))
    assert (version1 / "memory" / "stint-ab" / "node1" / "kubepods" / "pod1").is_dir()


def test_a_dead_node_starts_again_with_an_empty_cgroup(version1: Path) -> None:
    cgroups.create("a", ["node1", "node2"], version1)
    for node in ("node1", "node2"):
        (version1 / "memory" / "stint-a" / node / "kubepods").mkdir()
    cgroups.reset_node("a", "node1", version1)
    assert (version1 / "memory" / "stint-a" / "node1").is_dir()
    assert not (version1 / "memory" / "stint-a" / "node1" / "kubepods").exists()
    assert (version1 / "memory" / "stint-a" / "node2" / "kubepods").exists()
