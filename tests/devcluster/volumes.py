"""Provisions the volumes of the default StorageClass: folders of this machine as PersistentVolumes of type `local`.

    python -m devcluster.volumes FOLDER KUBECONFIG

Type `local`, because kubelet applies fsGroup to it (to hostPath it does not), so that a pod that is not root can write. A folder is visible
on every node, like network storage: the volume names no particular node, and a pod that moves after the loss of one finds its data.

    claim pending, scheduler chose a node  ->  folder and PersistentVolume
    volume released, reclaim policy Delete ->  both are removed
"""

import http.client
import queue
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

from devcluster.api import Api, ApiError, Object

PROVISIONER = "devcluster.stint.dev/local"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
CLAIMS = "/api/v1/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
RETRY_AFTER = 1.0  # seconds
UNREACHABLE = (OSError, http.client.HTTPException)


def wants_volume(claim: Object, storage_class: Object | None) -> bool:
    """Whether the claim waits for us: pending, of a class of ours, and placed if the class waits for a placement."""
    if storage_class is None or storage_class["provisioner"] != PROVISIONER:
        return False
    if claim["spec"].get("volumeName") or claim["status"].get("phase") != "Pending" or claim["metadata"].get("deletionTimestamp"):
        return False
    placed = SELECTED_NODE in claim["metadata"].get("annotations", {})
    return placed or storage_class.get("volumeBindingMode") != "WaitForFirstConsumer"


def wants_removal(volume: Object) -> bool:
    """Whether a volume of ours has lost its claim and is not to be kept."""
    ours = volume["metadata"].get("annotations", {}).get(PROVISIONED_BY) == PROVISIONER
    released = volume["status"].get("phase") in ("Released", "Failed") and not volume["metadata"].get("deletionTimestamp")
    return ours and released and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"


def volume_for(claim: Object, storage_class: Object, folder: Path) -> Object:
    """The PersistentVolume for a claim; local volumes must name nodes, so this one names all."""
    metadata, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{metadata['uid']}"
    every_node = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "Exists"}]}]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": storage_class["metadata"]["name"],
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "local": {"path": str(folder / name)},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "nodeAffinity": {"required": every_node},
        },
    }


class Provisioner:
    """Three watches feed one worker; whatever fails is tried again when the retry queue is due."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api = api
        self._folder = folder
        self._classes: dict[str, Object] = {}
        self._waiting: dict[str, Object] = {}  # claims that came before their class
        self._queue: queue.SimpleQueue[tuple[str, Object]] = queue.SimpleQueue()

    def run(self) -> None:
        for path in (CLASSES, CLAIMS, VOLUMES):
            threading.Thread(target=self._follow, args=(path,), daemon=True).start()
        while True:
            path, event = self._queue.get()
            try:
                self._handle(path, event)
            except (ApiError, *UNREACHABLE) as error:
                print(f"will retry: {error}", flush=True)
                threading.Timer(RETRY_AFTER, self._queue.put, [(path, event)]).start()

    def _follow(self, path: str) -> None:
        """List, watch from there, and again from the start when the watch ends."""
        while True:
            try:
                listed = self._api.get(path)
                for item in listed["items"]:
                    self._queue.put((path, {"type": "ADDED", "object": item}))
                for event in self._api.watch(path, listed["metadata"]["resourceVersion"]):
                    if event["type"] == "ERROR":
                        break
                    if event["type"] != "BOOKMARK":
                        self._queue.put((path, event))
            except (ApiError, *UNREACHABLE, ValueError) as error:
                print(f"watch of {path}: {error}", flush=True)
                time.sleep(RETRY_AFTER)

    def _handle(self, path: str, event: dict[str, Any]) -> None:
        thing = event["object"]
        if path == CLASSES:
            self._classes[thing["metadata"]["name"]] = thing
            for claim in list(self._waiting.values()):
                self._claim(claim, "MODIFIED")
        elif path == CLAIMS:
            self._claim(thing, event["type"])
        elif event["type"] != "DELETED" and wants_removal(thing):
            self._remove(thing)

    def _claim(self, claim: Object, change: str) -> None:
        uid, storage_class = claim["metadata"]["uid"], self._classes.get(claim["spec"].get("storageClassName", ""))
        self._waiting.pop(uid, None)
        if change == "DELETED":
            return
        if storage_class is None:
            self._waiting[uid] = claim
        elif wants_volume(claim, storage_class):
            self._provision(claim, storage_class)

    def _provision(self, claim: Object, storage_class: Object) -> None:
        if claim["spec"].get("volumeMode") == "Block":
            print(f"{claim['metadata']['namespace']}/{claim['metadata']['name']}: block volumes can't be provisioned here", flush=True)
            return
        volume = volume_for(claim, storage_class, self._folder)
        Path(volume["spec"]["local"]["path"]).mkdir(mode=0o755, parents=True, exist_ok=True)
        try:
            self._api.request("POST", VOLUMES, volume)
        except ApiError as error:
            if error.status != http.client.CONFLICT:  # made already, from an older event
                raise

    def _remove(self, volume: Object) -> None:
        shutil.rmtree(volume["spec"]["local"]["path"], ignore_errors=True)
        try:
            self._api.request("DELETE", f"{VOLUMES}/{volume['metadata']['name']}")
        except ApiError as error:
            if error.status != http.client.NOT_FOUND:
                raise


def main() -> None:
    """Entry point of `python -m devcluster.volumes`."""
    Provisioner(Api(Path(sys.argv[2])), Path(sys.argv[1])).run()


if __name__ == "__main__":
    main()
