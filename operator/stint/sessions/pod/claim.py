"""The session's volume: workspace, conversation and the gateway's journal, each in a folder that only its container mounts."""

from __future__ import annotations

from stint.api import defaults
from stint.api.workspace import Volume
from stint.engine.plan import Manifest
from stint.sessions.names import MANAGED_BY, MANAGED_BY_LABEL, OWNER_UID_ANNOTATION, SESSION_LABEL, volume_name
from stint.sessions.observed import Observed
from stint.sessions.pod.owner import owner_reference


def volume_claim(seen: Observed) -> Manifest:
    """A PersistentVolumeClaim owned by the session, or by nobody when it is to be retained."""
    assert seen.resolved is not None
    volume = seen.resolved.workspace.volume or Volume()
    retain = (volume.retain_policy or defaults.VOLUME_RETAIN_POLICY) == "Retain"
    spec: Manifest = {
        "accessModes": list(volume.access_modes or defaults.VOLUME_ACCESS_MODES),
        "resources": {"requests": {"storage": str(volume.size or defaults.VOLUME_SIZE)}},
    }
    if volume.storage_class_name:
        spec["storageClassName"] = volume.storage_class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "namespace": seen.namespace,
            "name": volume_name(seen.name, seen.uid),
            "labels": {MANAGED_BY_LABEL: MANAGED_BY, SESSION_LABEL: seen.name},
            "annotations": {OWNER_UID_ANNOTATION: seen.uid},
            "ownerReferences": [] if retain else [owner_reference(seen)],
        },
        "spec": spec,
    }
