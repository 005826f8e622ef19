"""Whether an agent has run: the question on which it depends whether an attempt without a report is free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stint.sessions.pod_facts import AGENT, PodFacts

START_ERROR = "StartError"
"""The runtime could not start the container."""
UNKNOWN = "ContainerStatusUnknown"
"""kubelet writes this for a container that never was as well as for one it lost track of."""


def has_run(pod: PodFacts, status: Mapping[str, Any]) -> bool:
    """Whether the agent may have run: its container says so, nobody watched, or the status has seen it run."""
    agent = pod.container(AGENT)
    if agent is not None and (agent.started is not None or agent.running_since is not None):
        return True
    if agent is not None and agent.exit_code is not None and agent.reason not in (UNKNOWN, START_ERROR):
        return True
    return pod.unwatched or (status.get("attempt") == pod.attempt and "podUID" in status)
