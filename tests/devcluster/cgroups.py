"""The cgroup folders of a cluster: `stint-<name>` at the top of each hierarchy, with one folder per node as the kubelet's root.

Version 1 has a hierarchy per controller below /sys/fs/cgroup, version 2 a single one. Cgroups are the only thing that the end of the
namespaces does not take away, so `remove` waits for the last process and removes them, deepest first.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from devcluster.errors import DevclusterError

ROOT = Path("/sys/fs/cgroup")
REMOVE_WITHIN = 20.0  # seconds


def folder_name(cluster: str) -> str:
    """Name of the cluster's cgroup."""
    return f"stint-{cluster}"


def kubelet_root(cluster: str, node: str) -> str:
    """The `cgroupRoot` of a kubelet."""
    return f"/{folder_name(cluster)}/{node}"


def is_unified(root: Path = ROOT) -> bool:
    """Whether the machine uses cgroup version 2 only."""
    return (root / "cgroup.controllers").exists()


def create(cluster: str, nodes: list[str], root: Path = ROOT) -> None:
    """Make the folders for the cluster and its nodes."""
    for hierarchy in hierarchies(root):
        top = hierarchy / folder_name(cluster)
        if is_unified(root):
            _enable_controllers(hierarchy, may_move=True)
        _make(top)
        for node in nodes:
            if is_unified(root):
                _enable_controllers(top, may_move=False)
            _make(top / node)


def remove(cluster: str, root: Path = ROOT) -> None:
    """Remove the cluster's folders once their processes are gone."""
    _remove_all(folder_name(cluster), root)


def reset_node(cluster: str, node: str, root: Path = ROOT) -> None:
    """Forget a dead node's pods, as a reboot does: kubelet would spend 3 s on each cgroup that has no container any more."""
    _remove_all(f"{folder_name(cluster)}/{node}", root)
    create(cluster, [node], root)


def _remove_all(name: str, root: Path) -> None:
    deadline = time.monotonic() + REMOVE_WITHIN
    while True:
        left = [top for hierarchy in hierarchies(root) if (top := hierarchy / name).exists()]
        for top in left:
            for folder, _, _ in os.walk(top, topdown=False):
                with suppress(OSError):  # busy until the kernel has buried the last process
                    os.rmdir(folder)
        if not any(top.exists() for top in left):
            return
        if time.monotonic() > deadline:
            raise DevclusterError(f"Processes still live in {', '.join(map(str, left))}: end them, then run down again.")
        time.sleep(0.05)


def hierarchies(root: Path = ROOT) -> list[Path]:
    """The hierarchies of the machine: one in version 2, one per controller in version 1."""
    if is_unified(root):
        return [root]
    return [folder for folder in sorted(root.iterdir()) if folder.is_dir() and not folder.is_symlink()]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise DevclusterError(f"Can't make the cgroup {folder} ({error.strerror}): inside a container, run that one privileged.") from error
    for file in ("cpuset.cpus", "cpuset.mems"):  # version 1 starts a cpuset empty, and an empty one takes no process
        path = folder / file
        if path.exists() and not is_unified(folder.parent) and not path.read_text().strip():
            path.write_text((folder.parent / file).read_text())


def _enable_controllers(folder: Path, may_move: bool) -> None:
    """Version 2: hand all controllers on to the children. Inside a container the top has processes, which forbids that until they move."""
    wanted = " ".join(f"+{controller}" for controller in (folder / "cgroup.controllers").read_text().split())
    try:
        (folder / "cgroup.subtree_control").write_text(wanted)
    except OSError as error:
        if not may_move:
            raise DevclusterError(f"Can't enable the cgroup controllers of {folder} ({error}): is this folder writable here?") from error
        _move_processes(folder, folder / "init")
        _enable_controllers(folder, may_move=False)


def _move_processes(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for pid in (source / "cgroup.procs").read_text().split():
        with suppress(OSError):  # kernel threads stay, short-lived processes are gone
            (target / "cgroup.procs").write_text(pid)
