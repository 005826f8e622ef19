"""On which cluster the demo runs, and the cluster tests. Everything that is looked at is gathered first; the decision is a pure function of it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from demonstration.errors import CannotRunHere

Sort = Literal["given", "kind", "embedded"]

IMAGE_VARIABLES = {"operator": "OPERATOR_IMAGE", "agent": "AGENT_IMAGE", "mockapi": "MOCKAPI_IMAGE"}


@dataclass(frozen=True)
class Purpose:
    """What needs a cluster, in the words of the sentences that say why there is none."""

    subject: str
    command: str


DEMO = Purpose("the demo", "make demo")


@dataclass(frozen=True)
class Machine:
    """What matters of a machine and of what the user asks for."""

    platform: str  # as sys.platform
    root: bool
    docker: bool  # an engine answers
    kind: bool  # the program is there
    kubeconfig: str = ""
    context: str = ""
    own_kubeconfigs: frozenset[str] = frozenset()  # those of clusters that Stint's tools made, whose use is no wish for a cluster of the user's
    images: frozenset[str] = frozenset()  # images for which a reference is given


def look(environment: Mapping[str, str], own_kubeconfigs: frozenset[str]) -> Machine:
    """The machine we are on."""
    return Machine(
        platform=sys.platform,
        root=os.geteuid() == 0,
        docker=docker_answers(),
        kind=shutil.which("kind") is not None,
        kubeconfig=environment.get("KUBECONFIG", ""),
        context=environment.get("CONTEXT", ""),
        own_kubeconfigs=own_kubeconfigs,
        images=frozenset(name for name, variable in IMAGE_VARIABLES.items() if environment.get(variable)),
    )


def docker_answers() -> bool:
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode == 0


def choose(machine: Machine, purpose: Purpose = DEMO) -> Sort:
    """The cluster to use: the user's, else kind, else the embedded one. Raises CannotRunHere with what would help."""
    if machine.context or (machine.kubeconfig and machine.kubeconfig not in machine.own_kubeconfigs):
        missing = [variable for name, variable in IMAGE_VARIABLES.items() if name not in machine.images]
        if missing:
            raise CannotRunHere(
                "KUBECONFIG or CONTEXT names a cluster of yours, and that cluster can't pull images from this machine: build them "
                f"(make images), push them to a registry that it can pull from, and set {', '.join(missing)}; or unset KUBECONFIG and CONTEXT "
                f"for a cluster of {purpose.subject}'s own."
            )
        return "given"
    if machine.docker and machine.kind:
        return "kind"
    if machine.platform != "linux":
        lacking = "kind is not installed" if machine.docker else "no Docker engine answers"
        raise CannotRunHere(f"On this system {purpose.subject} needs Docker and kind, and {lacking}; or give a cluster of yours with KUBECONFIG=….")
    if not machine.root:
        lacking = "kind is not installed" if machine.docker else "no Docker engine answers you"
        needs = f"{purpose.subject} needs either root (sudo {purpose.command}) or Docker with kind"
        raise CannotRunHere(f"{needs[0].upper()}{needs[1:]}, and {lacking}; or give a cluster with KUBECONFIG=….")
    return "embedded"
