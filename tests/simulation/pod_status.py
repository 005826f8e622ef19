"""Statuses of agent pods as a kubelet writes them, and the documents that runner and gateway leave in their termination messages.

Both unit tests and the simulated kubelet use these, so that neither invents a pod that no cluster would show.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

Json = dict[str, Any]

KILLED, TERMINATED = 137, 143
"""Exit codes after SIGKILL and SIGTERM."""
CONTAINER_LOST = "The container could not be located when the pod was terminated"
"""What kubelet says of a container whose end it did not see; it then knows no times either."""


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def result(outcome: str = "Succeeded", **fields: Any) -> str:
    """The runner's result (docs/reference/pod-contract.md)."""
    return json.dumps({"version": 1, "attempt": 1, "outcome": outcome, "turns": 1, **fields})


def failure(error_class: str, message: str = "it failed", **error: Any) -> str:
    return result("Failed", error={"class": error_class, "message": message, **error})


def counts(cost: str = "0.25", *, requests: int = 1, input_tokens: int = 100, output_tokens: int = 10) -> Json:
    return {
        "requests": requests, "inputTokens": input_tokens, "outputTokens": output_tokens, "cacheReadTokens": 0, "cacheWriteTokens": 0, "cost": cost,
    }  # fmt: skip


def report(cost: str = "0.25", *, model: str = "claude-x", estimated: bool = False, **fields: Any) -> str:
    """The gateway's report."""
    usage = {**counts(cost), "estimated": estimated, "byModel": {model: counts(cost)}}
    document = {"version": 1, "attempt": 1, "pod": "pod-uid", "usage": usage, "limitReached": None, "output": None, "previous": []}
    return json.dumps({**document, **fields})


def canonical_hash(value: Any) -> str:
    """The hash of an output as the gateway computes it (pod-contract.md: sorted keys, no spaces, UTF-8)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def terminated(exit_code: int = 0, message: str = "", *, started: datetime | None = None, finished: datetime | None = None, reason: str = "") -> Json:
    state: Json = {"exitCode": exit_code, "reason": reason or ("Completed" if exit_code == 0 else "Error")}
    if message:
        state["message"] = message
    state["startedAt"] = stamp(started) if started else None
    state["finishedAt"] = stamp(finished) if finished else None
    return {"terminated": state}


def running(since: datetime) -> Json:
    return {"running": {"startedAt": stamp(since)}}


def waiting(reason: str = "ContainerCreating", message: str = "") -> Json:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def container(name: str, state: Json, *, last: Json | None = None) -> Json:
    return {"name": name, "state": state, "lastState": last or {}, "restartCount": 1 if last else 0}


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> Json:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def status(phase: str = "Pending", *, agent: Json | None = None, init: dict[str, Json] | None = None, **fields: Any) -> Json:
    """A pod's status; ``init`` are states of the init containers by name (the gateway is one)."""
    found: Json = {"phase": phase, **fields}
    if init is not None:
        found["initContainerStatuses"] = [container(name, state) if "state" not in state else state for name, state in init.items()]
    if agent is not None:
        found["containerStatuses"] = [container("agent", agent)]
    return found


def pending(**fields: Any) -> Json:
    """Not on a node yet."""
    return status("Pending", **fields)


def unschedulable(message: str = "0/3 nodes are available: 3 Insufficient cpu.") -> Json:
    return status("Pending", conditions=[condition("PodScheduled", "False", "Unschedulable", message)])


def starting(reason: str = "ContainerCreating", message: str = "", *, name: str = "gateway") -> Json:
    """On a node, the container ``name`` waits for this reason, all others for it."""
    names = ("gateway", "agent")
    states = {one: waiting(reason, message) if one == name else waiting("PodInitializing") for one in names}
    return status("Pending", init={"gateway": states["gateway"]}, agent=states["agent"])


def at_work(since: datetime, *, gateway_last: Json | None = None) -> Json:
    """Both containers run; ``gateway_last`` is how the gateway's former instance ended, if it was restarted."""
    return status("Running", init={"gateway": container("gateway", running(since), last=gateway_last)}, agent=running(since))


def ended(
    result: str = "",
    report: str = "",
    *,
    exit_code: int = 0,
    started: datetime,
    finished: datetime,
    reason: str = "",
    agent_reason: str = "",
    **more: Any,
) -> Json:
    """Both containers have ended."""
    return status(
        "Succeeded" if exit_code == 0 else "Failed",
        init={"gateway": terminated(0, report, started=started, finished=finished)},
        agent=terminated(exit_code, result, started=started, finished=finished, reason=agent_reason),
        **({"reason": reason} if reason else {}),
        **more,
    )


def lost_containers() -> Json:
    """What stands there after an eviction or a restart of the node, when kubelet did not see the containers end."""
    lost = {"terminated": {"exitCode": KILLED, "reason": "ContainerStatusUnknown", "message": CONTAINER_LOST, "startedAt": None, "finishedAt": None}}
    return status("Failed", init={"gateway": lost}, agent=lost)
