"""The cluster of tests/devcluster, on which a test may also stop the API server, cut a node off, or read the audit log."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from devcluster import Cluster

BUILD = Path(__file__).parents[3] / "hack/images.py"


class Embedded:
    """`machine` is the cluster with all that only this one can do; `keep` leaves it running."""

    def __init__(self, machine: Cluster, nodes: int = 2, keep: bool = False) -> None:
        self.machine = machine
        self._nodes = nodes
        self._keep = keep

    @property
    def kubeconfig(self) -> Path:
        return self.machine.kubeconfig

    @property
    def node_selector(self) -> dict[str, str]:
        return {"kubernetes.io/hostname": "node1"}

    @property
    def spare_node(self) -> str:
        """The node that a test may take away."""
        return f"node{self._nodes}"

    def start(self) -> None:
        self.machine.up(nodes=self._nodes)

    def images(self, names: Iterable[str]) -> dict[str, str]:
        built = build_images(names)
        for _, archive in built.values():
            self.machine.load(archive)
        return {name: reference for name, (reference, _) in built.items()}

    def program(self, name: str) -> str:
        return str(self.machine.bin / name)

    def remove(self) -> list[str]:
        if not self._keep:
            self.machine.down()
        return []


def build_images(names: Iterable[str]) -> dict[str, tuple[str, Path]]:
    """Name → reference and archive; takes a second when nothing changed. As root on Linux, because only buildah makes archives."""
    command = [sys.executable, str(BUILD), "build", *names, "--engine", "buildah"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=BUILD.parent)
    assert done.returncode == 0, "the images could not be built; see above"
    return {name: (built["reference"], Path(built["archive"])) for name, built in json.loads(done.stdout).items()}
