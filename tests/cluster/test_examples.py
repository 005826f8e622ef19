"""Every file of examples/ is applied as a user would; those that need nothing from outside run to their end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster.bed import ROOT, SYSTEM, Bed
from cluster.kube import Json
from cluster.sessions import finished

FILES = sorted((ROOT / "examples").glob("*.yaml"))
SELF_CONTAINED = {"hello", "structured-output", "limits-and-retry", "prompt-from-configmap", "try-without-a-key"}


def test_there_are_enough_examples() -> None:
    assert len(FILES) >= 8
    assert {file.stem for file in FILES} >= SELF_CONTAINED


def ours(file: Path) -> list[Json]:
    """The objects of Stint's kinds."""
    return [document for document in yaml.safe_load_all(file.read_text()) if document["apiVersion"].startswith("stint.dev/")]


@pytest.fixture
def place(bed: Bed, namespace: str, file: Path) -> Iterator[str]:
    """The namespace that the example names, else the test's own. What is in the system namespace counts for the whole cluster: it goes again."""
    (place,) = {document["metadata"].get("namespace", namespace) for document in ours(file)}
    yield place
    for document in ours(file) if place == SYSTEM else ():
        bed.kube.delete(document["kind"], place, document["metadata"]["name"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_accepted_and_taken_up(bed: Bed, place: str, file: Path) -> None:
    if file.stem == "provider":
        bed.kube.delete("Secret", place, "anthropic")
    bed.kubectl("apply", "-n", place, "-f", str(file))
    for document in ours(file):
        kind, name = document["kind"], document["metadata"]["name"]
        item = bed.kube.get(kind, place, name)
        if kind == "AgentSession" and file.stem in SELF_CONTAINED:
            assert finished(bed, item)["status"]["phase"] == "Succeeded"
        elif kind == "AgentSession":  # it needs a repository or a server from outside: its pod, or the reason why there is none, is enough
            bed.kube.until(kind, place, name, lambda found: found.get("status", {}).get("phase"))
        else:
            bed.kube.until(kind, place, name, lambda found: found.get("status", {}).get("observedGeneration") == 1)


def test_applying_again_changes_nothing(bed: Bed, namespace: str) -> None:
    bed.kubectl("apply", "-n", namespace, "-f", str(ROOT / "examples/hello.yaml"))
    finished(bed, bed.kube.get("AgentSession", namespace, "hello"))
    assert "unchanged" in bed.kubectl("apply", "-n", namespace, "-f", str(ROOT / "examples/hello.yaml"))
    assert bed.kubectl("diff", "-n", namespace, "-f", str(ROOT / "examples/hello.yaml")) == ""
