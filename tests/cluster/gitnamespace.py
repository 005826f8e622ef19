"""The namespace of the git servers: sessions may reach it, and it is new for each server, whatever a run that was stopped has left there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cluster.bed import GIT, Bed, own_namespace


@contextmanager
def git_namespace(bed: Bed) -> Iterator[str]:
    """The namespace, empty; nobody else's server is there meanwhile."""
    clear(bed)
    bed.kube.create(own_namespace(GIT))
    try:
        yield GIT
    finally:
        clear(bed)


def clear(bed: Bed) -> None:
    """Remove the namespace, and wait until the next server can have it."""
    bed.kube.delete("Namespace", "", GIT)
    bed.kube.until("Namespace", "", GIT, lambda _: False, gone=True)
