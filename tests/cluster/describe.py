"""What to show of a namespace when a test in it has failed."""

from __future__ import annotations

import json

from cluster.bed import SYSTEM, Bed


def describe(bed: Bed, namespace: str) -> str:
    """Sessions, pods and the ends of logs, as one text of a bounded size."""
    parts = []
    for item in bed.kube.list("AgentSession", namespace)[:3]:
        parts.append(f"session {item['metadata']['name']}: {json.dumps(item.get('status'))[:3000]}")
    for pod in bed.kube.list("Pod", namespace)[:3]:
        name, status = pod["metadata"]["name"], pod["status"]
        parts.append(f"pod {name}: {status.get('phase')} {json.dumps(status.get('containerStatuses'))[:1500]}")
        for container in ("clone", "continue", "gateway", "agent"):
            parts.append(f"log of {name}/{container}: {bed.kube.logs(namespace, name, container)[-1500:]}")
    for event in bed.kube.list("Event", namespace)[-10:]:
        parts.append(f"event {event['involvedObject']['name']}: {event['reason']} {event['message'][:300]}")
    for pod in bed.kube.list("Pod", SYSTEM, "app.kubernetes.io/component=controller"):
        parts.append(f"log of the controller: {bed.kube.logs(SYSTEM, pod['metadata']['name'], 'controller')[-3000:]}")
    return "\n".join(parts)
