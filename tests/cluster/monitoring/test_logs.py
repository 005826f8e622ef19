"""The log at its most talkative: a decision is a line, and what a session says or knows is in none."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cluster.bed import KEY, SYSTEM, VALUES, Bed
from cluster.sessions import finished, script, session

MARKER = "marker-that-nobody-may-read"


@pytest.fixture
def talkative(bed: Bed) -> Iterator[Bed]:
    bed.install(*VALUES, 'controller.logLevel="debug"')
    yield bed
    bed.install(*VALUES)


def controller_log(bed: Bed) -> str:
    pods = bed.kube.list("Pod", SYSTEM, "app.kubernetes.io/component=controller")
    return "".join(bed.kube.logs(SYSTEM, pod["metadata"]["name"], "controller") for pod in pods if "deletionTimestamp" not in pod["metadata"])


def test_decisions_are_in_the_log_and_neither_prompts_nor_secrets_at_any_level(talkative: Bed, namespace: str) -> None:
    bed = talkative
    steps = ({"tool": "Bash", "input": {"command": f"echo {MARKER}"}}, {"text": f"the answer is {MARKER}"})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own", "namespace": namespace}, "stringData": {"word": MARKER}}
    bed.kube.create(secret)
    spec = {
        "agent": {"systemPrompt": MARKER, "env": [{"name": "WORD", "value": MARKER}]},
        "workspace": {"ephemeral": True, "files": [{"path": "word", "secretKeyRef": {"name": "own", "key": "word"}}]},
    }
    done = finished(bed, bed.kube.create(session(namespace, "told", script(*steps), **spec)))
    assert MARKER in done["status"]["result"]["text"]

    log = controller_log(bed)
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"DEBUG", "INFO"} <= {line["level"] for line in lines}
    told = [line for line in lines if line.get("session") == "told" and line.get("namespace") == namespace]
    assert [(line["decision"], line["attempt"], line["reason"]) for line in told] == [("start", 1, ""), ("finish", 1, "Completed")]
    everything = log + bed.kube.logs(namespace, "told-1", "gateway")
    assert MARKER not in everything
    assert KEY not in everything
    assert "bWFya2VyLXRoYXQt" not in everything, "the Secret as the API server keeps it"
