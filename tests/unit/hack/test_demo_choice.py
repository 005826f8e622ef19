"""On which cluster the demo runs, and what it says where it can't."""

import dataclasses

import pytest

from demonstration.choice import IMAGE_VARIABLES, Machine, choose
from demonstration.errors import CannotRunHere

ALL_IMAGES = frozenset(IMAGE_VARIABLES)
LINUX_ROOT = Machine(platform="linux", root=True, docker=False, kind=False)
EVERYTHING = Machine(platform="linux", root=True, docker=True, kind=True)


def with_(machine: Machine, **changes: object) -> Machine:
    return dataclasses.replace(machine, **changes)  # type: ignore[arg-type]


def test_a_given_cluster_comes_first() -> None:
    assert choose(with_(EVERYTHING, kubeconfig="/home/me/config", images=ALL_IMAGES)) == "given"
    assert choose(with_(EVERYTHING, context="staging", images=ALL_IMAGES)) == "given"


def test_then_kind_if_docker_answers() -> None:
    assert choose(EVERYTHING) == "kind"
    assert choose(with_(EVERYTHING, root=False)) == "kind"
    assert choose(with_(EVERYTHING, platform="darwin", root=False)) == "kind"


@pytest.mark.parametrize(("docker", "kind"), [(False, False), (False, True), (True, False)])
def test_then_the_embedded_cluster(docker: bool, kind: bool) -> None:
    assert choose(with_(LINUX_ROOT, docker=docker, kind=kind)) == "embedded"


def test_the_kubeconfig_of_the_demo_itself_is_no_given_cluster() -> None:
    own = "/home/me/.local/state/stint/devcluster/stint/kubeconfig"
    assert choose(with_(LINUX_ROOT, kubeconfig=own, own_kubeconfigs=frozenset({own}))) == "embedded"


def test_a_given_cluster_needs_images_that_it_can_pull() -> None:
    with pytest.raises(CannotRunHere, match=r"set AGENT_IMAGE, MOCKAPI_IMAGE; or unset KUBECONFIG"):
        choose(with_(EVERYTHING, kubeconfig="/home/me/config", images=frozenset({"operator"})))


@pytest.mark.parametrize(
    ("machine", "sentence"),
    [
        (
            Machine(platform="darwin", root=False, docker=False, kind=True),
            "On this system the demo needs Docker and kind, and no Docker engine answers; or give a cluster of yours with KUBECONFIG=….",
        ),
        (
            Machine(platform="darwin", root=True, docker=True, kind=False),
            "On this system the demo needs Docker and kind, and kind is not installed; or give a cluster of yours with KUBECONFIG=….",
        ),
        (
            Machine(platform="linux", root=False, docker=False, kind=False),
            "The demo needs either root (sudo make demo) or Docker with kind, and no Docker engine answers you; or give a cluster with KUBECONFIG=….",
        ),
        (
            Machine(platform="linux", root=False, docker=True, kind=False),
            "The demo needs either root (sudo make demo) or Docker with kind, and kind is not installed; or give a cluster with KUBECONFIG=….",
        ),
    ],
)
def test_an_unsupported_machine_is_told_in_one_sentence(machine: Machine, sentence: str) -> None:
    with pytest.raises(CannotRunHere) as caught:
        choose(machine)
    assert str(caught.value) == sentence
    assert caught.value.exit_code == 2
