"""Volumes of an agent pod and who mounts them. The credential and the journal are in no mount of the agent's."""

from __future__ import annotations

from typing import Any

from stint.api.common import KeyReference
from stint.sessions.names import volume_name
from stint.sessions.observed import Observed

Mount = dict[str, Any]

WORKSPACE, CONFIG, METER = "/workspace", "/var/lib/stint/claude", "/var/lib/stint/meter"
HOME, TMP = "/home/agent", "/tmp"  # noqa: S108 - an emptyDir of the pod
RUN, INPUTS = "/run/stint/run", "/run/stint/inputs"
GATEWAY_RUN, CREDENTIAL, GIT, SOURCE = "/run/stint/gateway", "/run/stint/credential", "/run/stint/git", "/run/stint/source"


def volumes(seen: Observed) -> list[dict[str, Any]]:
    """Everything that a container of this pod mounts."""
    assert seen.resolved is not None
    assert seen.provider is not None
    secret = seen.provider.spec.credential.secret_ref
    found: list[dict[str, Any]] = [
        _state(seen),
        {"name": "scratch", "emptyDir": {}},
        _annotation("run", "run.json", "stint.dev/run"),
        _annotation("gateway", "gateway.json", "stint.dev/gateway"),
        {"name": "credential", "secret": {"secretName": secret.name, "defaultMode": 0o440, "items": [{"key": secret.key, "path": "credential"}]}},
    ]
    inputs = _inputs(seen)
    if inputs:
        found.append({"name": "inputs", "projected": {"defaultMode": 0o440, "sources": inputs}})
    git = seen.resolved.workspace.git
    if git is not None and git.secret_ref is not None:
        found.append({"name": "git", "secret": {"secretName": git.secret_ref.name, "defaultMode": 0o440}})
    if seen.source is not None and seen.spec is not None and seen.spec.continue_from is not None:
        claim = volume_name(seen.spec.continue_from.name, seen.source.uid)
        found.append({"name": "source", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
    return found


def agent_mounts(seen: Observed) -> list[Mount]:
    mounts = [_mount("state", WORKSPACE, "workspace"), _mount("state", CONFIG, "claude"), *scratch_mounts(), _read_only("run", RUN)]
    return [*mounts, _read_only("inputs", INPUTS)] if _inputs(seen) else mounts


def gateway_mounts() -> list[Mount]:
    return [_mount("state", METER, "meter"), _read_only("gateway", GATEWAY_RUN), _read_only("credential", CREDENTIAL)]


def clone_mounts(seen: Observed) -> list[Mount]:
    assert seen.resolved is not None
    mounts = [_mount("state", WORKSPACE, "workspace"), _mount("scratch", TMP, "clone"), _read_only("run", RUN)]
    git = seen.resolved.workspace.git
    return [*mounts, _read_only("git", GIT)] if git is not None and git.secret_ref is not None else mounts


def continue_mounts() -> list[Mount]:
    """The earlier volume as a whole: a folder named by a subPath that is not there cannot be made on a read-only volume, and the pod would hang.

    The journal on it belongs to the gateway's user and has mode 0600.
    """
    return [
        _mount("state", WORKSPACE, "workspace"),
        _mount("state", CONFIG, "claude"),
        _read_only("source", SOURCE),
        _mount("scratch", TMP, "continue"),
        _read_only("run", RUN),
    ]


def scratch_mounts() -> list[Mount]:
    return [_mount("scratch", TMP, "tmp"), _mount("scratch", HOME, "home")]


def _state(seen: Observed) -> dict[str, Any]:
    assert seen.resolved is not None
    if seen.resolved.ephemeral:
        return {"name": "state", "emptyDir": {}}
    return {"name": "state", "persistentVolumeClaim": {"claimName": volume_name(seen.name, seen.uid)}}


def _inputs(seen: Observed) -> list[dict[str, Any]]:
    """Prompt and files that come from ConfigMaps and Secrets."""
    assert seen.spec is not None
    assert seen.resolved is not None
    found = []
    if seen.spec.prompt_from is not None:
        source = seen.spec.prompt_from
        found.append(_projected(source.config_map_key_ref, source.secret_key_ref, "prompt"))
    for index, file in enumerate(seen.resolved.workspace.files or ()):
        if file.content is None:
            found.append(_projected(file.config_map_key_ref, file.secret_key_ref, f"files/{index}"))
    return found


def _projected(config_map: KeyReference | None, secret: KeyReference | None, path: str) -> dict[str, Any]:
    source = config_map or secret
    assert source is not None
    return {"configMap" if config_map else "secret": {"name": source.name, "items": [{"key": source.key, "path": path}]}}


def _annotation(name: str, path: str, annotation: str) -> dict[str, Any]:
    item = {"path": path, "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}
    return {"name": name, "downwardAPI": {"defaultMode": 0o444, "items": [item]}}


def _mount(volume: str, path: str, sub_path: str) -> Mount:
    return {"name": volume, "mountPath": path, "subPath": sub_path}


def _read_only(volume: str, path: str) -> Mount:
    return {"name": volume, "mountPath": path, "readOnly": True}
