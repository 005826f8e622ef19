"""What the load generator creates: sessions, and beside them the plain things that everybody knows."""

from __future__ import annotations

from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["AgentSession", "Job", "Pod"]

SYSTEM, NAMESPACE = "stint-system", "bench"
SECRET = "anthropic"
PROMPT = (
    "The test `test_report_of_yesterday` fails once in a while, always shortly before midnight. Find out why, mend it in the code and not in the "
    "test, run the whole suite, and tell in two sentences what was wrong."
)

COLLECTIONS: dict[Kind, str] = {
    "AgentSession": "/apis/stint.dev/v1alpha1/namespaces/{namespace}/agentsessions",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
}
NOT_DONE: dict[Kind, str] = {"AgentSession": "status.phase!=Succeeded", "Job": "status.successful!=1", "Pod": "status.phase!=Succeeded"}
"""Field selectors of what has not ended well yet."""


def manifest(kind: Kind, name: str) -> Json:
    """One object of the load, in the namespace of the load."""
    meta = {"name": name, "namespace": NAMESPACE}
    match kind:
        case "AgentSession":
            spec: Json = {"prompt": PROMPT, "workspace": {"ephemeral": True}, "limits": {"cost": "2.00", "timeout": "1h"}}
            return {"apiVersion": "stint.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}
        case "Job":
            template = {"metadata": {"labels": {"load": "job"}}, "spec": _plain_pod()}  # the label: how stages.yaml knows it
            return {"apiVersion": "batch/v1", "kind": kind, "metadata": meta, "spec": {"backoffLimit": 0, "template": template}}
        case "Pod":
            return {"apiVersion": "v1", "kind": kind, "metadata": meta, "spec": _plain_pod()}


def _plain_pod() -> Json:
    """As lean as a pod can be; without a token of the API, like the pods of sessions."""
    container = {"name": "work", "image": "localhost/work:1", "command": ["/work"], "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}}}
    return {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]}


def budget(namespace: str, at_once: int) -> Json:
    """A budget that lets so many sessions run at the same time."""
    limit = {"name": "busy", "resource": "concurrency", "limit": str(at_once)}
    return {"apiVersion": "stint.dev/v1alpha1", "kind": "RateBudget", "metadata": {"name": "busy", "namespace": namespace}, "spec": {"limits": [limit]}}


def provider() -> Json:
    """The shared provider that sessions use when they name none."""
    return {
        "apiVersion": "stint.dev/v1alpha1",
        "kind": "ModelProvider",
        "metadata": {"name": "default", "namespace": SYSTEM},
        "spec": {"endpoint": {"baseURL": "https://api.anthropic.com"}},
    }


def secret() -> Json:
    """The credential that sessions of the load's namespace need."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": NAMESPACE}, "stringData": {"api-key": "sk-bench"}}


def namespace(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
