"""The three sorts of cluster that the demo can run on. Each can be started, takes images, and can be removed, as far as the demo made it."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from demonstration.choice import IMAGE_VARIABLES, Sort
from demonstration.errors import DemoError
from demonstration.record import Record, kubeconfig_of
from demonstration.tools import Tools
from devcluster import Cluster
from devcluster.errors import DevclusterError
from imagebuild.build import Built, build, choose_engine
from imagebuild.engines import docker_works
from imagebuild.load import into_embedded
from imagebuild.recipe import IMAGES
from steps import Steps

SYSTEM = "stint-system"
DEMO = "stint-demo"
CRDS = ("agentsessions.stint.dev", "agentprofiles.stint.dev", "modelproviders.stint.dev", "ratebudgets.stint.dev")


class DemoCluster(Protocol):
    """Where the demo runs."""

    record: Record

    def start(self, steps: Steps) -> None:
        """Make sure that it is up."""

    def images(self, steps: Steps) -> dict[str, str]:
        """References of images that the cluster can run, by name."""

    def tools(self) -> Tools:
        """kubectl and helm for it."""

    def remove(self, steps: Steps) -> None:
        """Remove what the demo made."""


class Embedded:
    """The cluster of tests/devcluster."""

    def __init__(self, name: str) -> None:
        self._cluster = Cluster(name)
        self.record = Record("embedded", name, str(self._cluster.kubeconfig), "")

    def start(self, steps: Steps) -> None:
        with steps.step("starting the embedded cluster", usually="8 min at first, when Kubernetes is built, then 15 s"):
            self._cluster.up(nodes=self._nodes())

    def images(self, steps: Steps) -> dict[str, str]:
        built = build(IMAGES, "buildah", steps)
        with steps.step("loading the images", usually="20 s at first, then 1 s"):
            for each in built.values():
                into_embedded(self._cluster, each)
        return {name: each.reference for name, each in built.items()}

    def tools(self) -> Tools:
        return Tools(self.record.kubeconfig, find_program=lambda program: str(self._cluster.bin / program))

    def remove(self, steps: Steps) -> None:
        with steps.step("removing the embedded cluster", usually="5 s, with hundreds of pods 45 s"):
            self._cluster.down()

    def _nodes(self) -> int:
        """As many as it has, if somebody has started it already."""
        return len(self._cluster.status().get("nodes", [])) or 1


class Kind:
    """A cluster of kind, in Docker."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.record = Record("kind", name, str(kubeconfig_of(name)), "")

    def start(self, steps: Steps) -> None:
        if self._name in call("kind", "get", "clusters").split():
            call("kind", "export", "kubeconfig", "--name", self._name, "--kubeconfig", self.record.kubeconfig)
            steps.say(f"the kind cluster {self._name} is up already")
            return
        Path(self.record.kubeconfig).parent.mkdir(parents=True, exist_ok=True)
        with steps.step("making a kind cluster", usually="2 min at first, then 40 s"):
            call("kind", "create", "cluster", "--name", self._name, "--kubeconfig", self.record.kubeconfig, "--wait", "180s")

    def images(self, steps: Steps) -> dict[str, str]:
        built = build(IMAGES, choose_engine(docker_works), steps)
        with steps.step("loading the images", usually="30 s"):
            for each in built.values():
                self._load(each)
        return {name: each.reference for name, each in built.items()}

    def tools(self) -> Tools:
        return Tools(self.record.kubeconfig)

    def remove(self, steps: Steps) -> None:
        with steps.step("removing the kind cluster", usually="10 s"):
            call("kind", "delete", "cluster", "--name", self._name, "--kubeconfig", self.record.kubeconfig)

    def _load(self, image: Built) -> None:
        if image.archive:
            call("kind", "load", "image-archive", image.archive, "--name", self._name)
        else:
            call("kind", "load", "docker-image", image.reference, "--name", self._name)


class Given:
    """A cluster of the user's: the demo removes what it put in, and nothing else."""

    def __init__(self, name: str, kubeconfig: str, context: str, environment: Mapping[str, str] = os.environ) -> None:
        self.record = Record("given", name, kubeconfig, context)
        self._environment = environment

    def start(self, steps: Steps) -> None:
        self.tools().kubectl("version")
        steps.say("using the cluster that KUBECONFIG and CONTEXT name")

    def images(self, steps: Steps) -> dict[str, str]:
        return {name: self._environment[variable] for name, variable in IMAGE_VARIABLES.items()}

    def tools(self) -> Tools:
        return Tools(self.record.kubeconfig, self.record.context)

    def remove(self, steps: Steps) -> None:
        tools = self.tools()
        with steps.step("removing Stint and the namespaces of the demo", usually="30 s"):
            tools.kubectl("delete", "namespace", DEMO, "--ignore-not-found", "--timeout=120s")
            uninstall(tools)
            tools.kubectl("delete", "namespace", SYSTEM, "--ignore-not-found", "--timeout=120s")
        left = remove_unused_kinds(tools)
        if left:
            steps.say(f"kept, because there are objects of these kinds: {', '.join(left)}")


def cluster_of(sort: Sort, name: str, kubeconfig: str, context: str) -> DemoCluster:
    if sort == "embedded":
        return Embedded(name)
    if sort == "kind":
        return Kind(name)
    return Given(name, kubeconfig, context)


def uninstall(tools: Tools) -> None:
    """Remove the release of the chart, if there is one."""
    if "stint" in tools.helm("list", "--namespace", SYSTEM, "--short").split():
        tools.helm("uninstall", "stint", "--namespace", SYSTEM, "--wait", "--timeout", "120s")


def remove_unused_kinds(tools: Tools) -> list[str]:
    """Remove the CRDs, unless there are objects of any of them; then they stay, and those that have objects are returned."""
    left = [crd for crd in CRDS if tools.get("crd", crd) and tools.kubectl("get", crd, "--all-namespaces", "-o", "name").strip()]
    if not left:
        tools.kubectl("delete", "crd", "--ignore-not-found", *CRDS)
    return left


def own_kubeconfigs(name: str) -> frozenset[str]:
    """Kubeconfigs of the embedded cluster and of the kind cluster of this name."""
    try:
        embedded = {str(Cluster(name).kubeconfig)}
    except DevclusterError as error:
        raise DemoError(str(error)) from error
    return frozenset(embedded | {str(kubeconfig_of(name))})


def call(*command: str) -> str:
    if not shutil.which(command[0]):
        raise DemoError(f"The program {command[0]} is not installed any more: install it, or remove what is left by hand.")
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise DemoError(f"{' '.join(command)} failed:\n{(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
