"""Sessions for tests, and what to wait for."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from cluster.bed import Bed
from cluster.kube import Json
from stint.sessions.names import conversation

SLEEP = "python3 -c 'import time; time.sleep(600)'"


def script(*steps: Json) -> str:
    """A prompt that tells the mock API what to answer, step by step."""
    return f"MOCK:{json.dumps(list(steps))}"


def session(namespace: str, name: str, prompt: str = "Say hello", **spec: Any) -> Json:
    """An ephemeral session unless the spec says otherwise: it starts sooner."""
    return {
        "apiVersion": "stint.dev/v1alpha1",
        "kind": "AgentSession",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"prompt": prompt, "workspace": {"ephemeral": True}, **spec},
    }


def durable(namespace: str, name: str, prompt: str, **spec: Any) -> Json:
    """A session with a volume."""
    return session(namespace, name, prompt, **{"workspace": {"volume": {"size": "100Mi"}}, **spec})


def condition(item: Json, kind: str) -> Json:
    return next((one for one in item.get("status", {}).get("conditions", []) if one["type"] == kind), {})


def reason(item: Json, kind: str = "Ready") -> str:
    return str(condition(item, kind).get("reason", ""))


def over(item: Json) -> bool:
    return bool(item.get("status", {}).get("completionTime"))


def finished(bed: Bed, item: Json, seconds: float = 60) -> Json:
    """The session after its end."""
    meta = item["metadata"]
    return bed.kube.until("AgentSession", meta["namespace"], meta["name"], over, seconds)


def phase(bed: Bed, item: Json, wanted: str, seconds: float = 60) -> Json:
    """The session in a phase."""
    meta = item["metadata"]
    return bed.kube.until("AgentSession", meta["namespace"], meta["name"], lambda found: found.get("status", {}).get("phase") == wanted, seconds)


def waiting(bed: Bed, item: Json, wanted: str, seconds: float = 60) -> Json:
    """The session when its condition Ready gives this reason."""
    meta = item["metadata"]
    return bed.kube.until("AgentSession", meta["namespace"], meta["name"], lambda found: reason(found) == wanted, seconds)


def talk(item: Json) -> str:
    """The id of the session's conversation, as the mock API sees it."""
    return conversation(item["metadata"]["uid"])


def change(bed: Bed, item: Json, **spec: Any) -> Json:
    """Change fields of the spec."""
    return bed.kube.patch("AgentSession", item["metadata"]["namespace"], item["metadata"]["name"], {"spec": spec})


def assert_billed_what_was_served(bed: Bed, item: Json) -> None:
    """Usage and cost in the status are those that the mock API counted (the report rounds each pod's cost up to a millionth of a dollar)."""
    served = bed.mock.session(talk(item))["usage"]
    usage = item["status"]["usage"]
    counts = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens")
    assert {name: usage[name] for name in counts} == {name: served[name] for name in counts}
    assert Decimal(0) <= Decimal(usage["cost"]) - Decimal(served["cost"]) < Decimal("0.00001")
    assert not usage["estimated"]


def ready(item: Json) -> bool:
    """Whether a pod or node has the condition Ready. A pod has it once the model has answered for the first time."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in item.get("status", {}).get("conditions", []))
