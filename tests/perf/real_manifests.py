"""Pods by hand, to hold a session's pod against: one of the same shape, and one that runs nothing but the same CLI."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

from perf.manifests import Json

SERVER_FILLS = ("nodeName", "serviceAccount")
ANSWER = {"text": "The test passes now."}


@dataclass(frozen=True, slots=True)
class Talk:
    """What a session's pod does: which image, model and prompt, and under which id the model's side sees it."""

    image: str
    model: str
    prompt: str
    conversation: str


def prompt() -> str:
    """One turn, answered at once by the mock API."""
    return f"MOCK:{json.dumps([ANSWER])}"


def talk(pod: Json) -> Talk:
    """Read from the pod that the controller made."""
    run = json.loads(pod["metadata"]["annotations"]["stint.dev/run"])
    image = next(container["image"] for container in pod["spec"]["containers"] if container["name"] == "agent")
    return Talk(image, run["agent"]["model"], run["prompt"], run["conversation"])


def same_shape(pod: Json, name: str) -> tuple[Json, str]:
    """The pod of a session once more, owned by nobody and unknown to the controller; and the id of its conversation."""
    annotations = dict(pod["metadata"]["annotations"])
    run = json.loads(annotations["stint.dev/run"])
    run["conversation"] = str(uuid.uuid4())
    annotations["stint.dev/run"] = json.dumps(run)
    spec = {key: value for key, value in pod["spec"].items() if key not in SERVER_FILLS}
    return _pod(name, spec, annotations, pod["metadata"]["namespace"]), run["conversation"]


def bare(said: Talk, namespace: str, name: str, url: str, key: str) -> tuple[Json, str]:
    """A pod with the CLI alone: no runner, no gateway, the key in the environment; and the id of its conversation."""
    conversation = str(uuid.uuid4())
    command = [
        "claude", "--print", "--verbose", "--output-format=stream-json", "--permission-mode=bypassPermissions", "--setting-sources=",
        "--strict-mcp-config", f"--model={said.model}", f"--session-id={conversation}", said.prompt,
    ]  # fmt: skip
    folders = {"workspace": "/workspace", "claude": "/var/lib/stint/claude", "tmp": "/tmp", "home": "/home/agent", "managed": "/etc/claude-code"}
    container = {
        "name": "agent",
        "image": said.image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "workingDir": folders["workspace"],
        "env": [
            {"name": "ANTHROPIC_BASE_URL", "value": url},
            {"name": "ANTHROPIC_API_KEY", "value": key},
            {"name": "CLAUDE_CONFIG_DIR", "value": folders["claude"]},
            {"name": "HOME", "value": folders["home"]},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True, "runAsUser": 10001,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": path, "subPath": folder} for folder, path in folders.items()],
    }  # fmt: skip
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"fsGroup": 10001},
        "containers": [container],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
    return _pod(name, spec, {}, namespace), conversation


def _pod(name: str, spec: Json, annotations: Json, namespace: str) -> Json:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "annotations": annotations}, "spec": spec}
