"""When a claim gets a folder, and when it loses it."""

from pathlib import Path
from typing import Any

import pytest

from devcluster.volumes import PROVISIONED_BY, PROVISIONER, SELECTED_NODE, volume_for, wants_removal, wants_volume

OURS = {"metadata": {"name": "local"}, "provisioner": PROVISIONER, "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete"}


def claim(phase: str = "Pending", placed: bool = True, **metadata: Any) -> dict[str, Any]:
    annotations = {SELECTED_NODE: "node1"} if placed else {}
    return {
        "metadata": {"name": "data", "namespace": "team", "uid": "u-1", "annotations": annotations, **metadata},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": phase},
    }


def volume(phase: str, provisioner: str = PROVISIONER, policy: str = "Delete") -> dict[str, Any]:
    metadata = {"name": "pvc-u-1", "annotations": {PROVISIONED_BY: provisioner}}
    return {"metadata": metadata, "spec": {"persistentVolumeReclaimPolicy": policy}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("pending", "storage_class", "wanted"),
    [
        (claim(), OURS, True),
        (claim(placed=False), OURS, False),
        (claim(placed=False), {**OURS, "volumeBindingMode": "Immediate"}, True),
        (claim(), {**OURS, "provisioner": "example.com/other"}, False),
        (claim(), None, False),
        (claim(phase="Bound"), OURS, False),
        (claim(deletionTimestamp="2026-01-01T00:00:00Z"), OURS, False),
    ],
)
def test_a_claim_gets_a_volume_when_it_waits_for_us(pending: dict[str, Any], storage_class: dict[str, Any] | None, wanted: bool) -> None:
    assert wants_volume(pending, storage_class) is wanted


@pytest.mark.parametrize(
    ("lost", "wanted"),
    [
        (volume("Released"), True),
        (volume("Failed"), True),
        (volume("Bound"), False),
        (volume("Released", policy="Retain"), False),
        (volume("Released", provisioner="example.com/other"), False),
    ],
)
def test_a_volume_is_removed_when_its_claim_is_gone(lost: dict[str, Any], wanted: bool) -> None:
    assert wants_removal(lost) is wanted


def test_a_volume_survives_the_loss_of_a_node_because_it_names_none() -> None:
    spec = volume_for(claim(), OURS, Path("/volumes"))["spec"]
    terms = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "Exists"}]}]
    assert spec["local"]["path"] == "/volumes/pvc-u-1"
    assert spec["claimRef"]["uid"] == "u-1"
