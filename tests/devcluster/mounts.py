"""Turns fresh namespaces into the inside of a cluster or node, so that nothing done there reaches the machine's files or settings.

Kubelets insist on a few folders (/var/lib/kubelet/device-plugins, /var/log/containers) and on node-wide kernel settings. Inside, such
folders lie under an overlay whose changes are kept in memory, and such settings are replaced by private copies.
"""

import socket
import subprocess
from pathlib import Path

from devcluster.components import Setup

PRIVATE = Path("/run/devcluster")


def set_up(setup: Setup, state: Path) -> None:
    """Carry out `setup`; `state` is the folder of the cluster, which must stay visible as it is."""
    socket.sethostname(setup.hostname)
    for folder in setup.tmpfs:
        _mount("-t", "tmpfs", "tmpfs", folder)
    PRIVATE.mkdir(parents=True, exist_ok=True)
    for folder in setup.private:
        _make_private(Path(folder), state)
    for source, target in setup.binds:
        Path(target).mkdir(parents=True, exist_ok=True)
        _mount("--rbind", source, target)
    for file, value in setup.fixed.items():
        _fix(Path(file), value)
    for file, value in setup.sysctls.items():
        if Path(file).exists():
            Path(file).write_text(value)
    if setup.shared:
        _mount("--make-rshared", "/")
    for command in setup.commands:
        subprocess.run(command, check=True)


def _make_private(folder: Path, state: Path) -> None:
    """An overlay with an upper layer in memory: what is written below `folder` vanishes with the namespace."""
    layers = PRIVATE / str(folder).strip("/").replace("/", "-")
    upper, work, kept = layers / "upper", layers / "work", layers / "state"
    for path in (upper, work, kept):
        path.mkdir(parents=True)
    hides_state = state.is_relative_to(folder)
    if hides_state:
        _mount("--rbind", str(state), str(kept))
    _mount("-t", "overlay", "overlay", "-o", f"lowerdir={folder},upperdir={upper},workdir={work}", str(folder))
    if hides_state:
        _mount("--rbind", str(kept), str(state))


def _fix(file: Path, value: str) -> None:
    """Mount a private copy with `value` over a file of /proc/sys."""
    if not file.exists():
        return
    copy = PRIVATE / file.name
    copy.write_text(f"{value}\n")
    _mount("--bind", str(copy), str(file))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)
