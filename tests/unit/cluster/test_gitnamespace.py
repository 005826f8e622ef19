"""The namespace of a git server is new for each server."""

from typing import Any

import pytest

from cluster.gitnamespace import git_namespace

CLEARED = ["delete stint-test-git", "gone stint-test-git"]


class Kube:
    """Writes down what is done to namespaces."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def create(self, manifest: dict[str, Any]) -> None:
        self.done.append(f"create {manifest['metadata']['name']}")

    def delete(self, _kind: str, _namespace: str, name: str) -> None:
        self.done.append(f"delete {name}")

    def until(self, _kind: str, _namespace: str, name: str, _condition: object, *, gone: bool) -> None:
        assert gone
        self.done.append(f"gone {name}")


class Bed:
    def __init__(self) -> None:
        self.kube = Kube()


def test_what_another_server_has_left_is_gone_before_and_nothing_is_left_afterwards() -> None:
    bed: Any = Bed()
    with git_namespace(bed):
        assert bed.kube.done == [*CLEARED, "create stint-test-git"]
    assert bed.kube.done[3:] == CLEARED


def test_a_server_that_does_not_come_up_is_removed_too() -> None:
    bed: Any = Bed()
    with pytest.raises(AssertionError, match="not ready"), git_namespace(bed):
        raise AssertionError("not ready")
    assert bed.kube.done[3:] == CLEARED
