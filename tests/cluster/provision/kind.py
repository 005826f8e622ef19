"""A cluster of kind, in Docker, by the class of pytest-kind.

Of that package's own plug-in, the options `--cluster-name`, `--keep-cluster` and `--kind-image` count here too. Its `kind_cluster` fixture
doesn't serve: it makes one node only, and downloads programs of a version of its own instead of taking those of the machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import chdir
from pathlib import Path

from pytest_kind import KindCluster

from demonstration.clusters import call
from demonstration.errors import CannotRunHere
from demonstration.record import kubeconfig_of
from demonstration.tools import find
from imagebuild.build import build, choose_engine
from imagebuild.engines import docker_works
from steps import Steps

CONFIG = Path(__file__).with_name("kind.yaml")


class Kind:
    """`image`: of the nodes, with it the version of Kubernetes; without one, kind's default."""

    def __init__(self, name: str, image: str | None = None, keep: bool = False) -> None:
        self.name = name
        self._image = image
        self._keep = keep
        self._kubeconfig = kubeconfig_of(name)
        self._made = False
        self._kind: KindCluster

    @property
    def kubeconfig(self) -> Path:
        return self._kubeconfig

    @property
    def node_selector(self) -> dict[str, str]:
        return {}

    def start(self) -> None:
        program = shutil.which("kind")
        if program is None:
            raise CannotRunHere("The program kind is not installed.")
        folder = self._kubeconfig.parent
        folder.mkdir(parents=True, exist_ok=True)
        with chdir(folder):  # KindCluster makes a folder .pytest-kind wherever it is created
            self._kind = KindCluster(self.name, self._kubeconfig, self._image, Path(program), Path(find("kubectl")))
        self._made = self.name not in call(program, "get", "clusters").split()
        if not self._made:  # its kubeconfig may not be there any more
            call(program, "export", "kubeconfig", "--name", self.name, "--kubeconfig", str(self._kubeconfig))
        self._kind.create(CONFIG)

    def images(self, names: Iterable[str]) -> dict[str, str]:
        built = build(names, choose_engine(docker_works), Steps())
        for each in built.values():
            if each.archive:
                call("kind", "load", "image-archive", each.archive, "--name", self.name)
            else:
                self._kind.load_docker_image(each.reference)
        return {name: each.reference for name, each in built.items()}

    def program(self, name: str) -> str:
        return find(name)

    def remove(self) -> list[str]:
        if self._keep:
            return []
        if not self._made:
            return [f"the kind cluster {self.name} is kept, because it was there before the run: kind delete cluster --name {self.name}"]
        self._kind.delete()
        self._kubeconfig.unlink(missing_ok=True)
        return []
