"""What the tests ask of the cluster they run on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol


class AnyCluster(Protocol):
    """A cluster from its start to its removal. `start` comes first; before it, nothing else works."""

    @property
    def kubeconfig(self) -> Path:
        """Reaches it as its admin, by its current context."""

    @property
    def node_selector(self) -> dict[str, str]:
        """Labels of the nodes that no test takes away; empty if none ever is."""

    def start(self) -> None:
        """Make sure that it is up, and that tests may be run on it."""

    def images(self, names: Iterable[str]) -> dict[str, str]:
        """References of these images, by name; the nodes have them afterwards."""

    def program(self, name: str) -> str:
        """Path of kubectl or helm."""

    def remove(self) -> list[str]:
        """Remove what `start` and the tests made, unless it is to be kept. Returns what is left and why, in sentences for the user."""
