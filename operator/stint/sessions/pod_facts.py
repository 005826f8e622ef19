"""What plans need to know of a pod, and no more: ten thousand of these stay in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from stint.engine.conditions import moment
from stint.sessions.names import ATTEMPT_LABEL, RESERVED_ANNOTATION, SESSION_LABEL

AGENT, GATEWAY, CLONE, CONTINUE = "agent", "gateway", "clone", "continue"
ORDINARY = frozenset({"ContainerCreating", "PodInitializing", ""})
"""Waiting reasons that say nothing is wrong."""

SAME_PROBLEM = {"ErrImagePull": "ImagePullBackOff"}
"""kubelet goes to and fro between these two."""


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """One container: waiting, running since, or terminated."""

    name: str
    waiting: tuple[str, str] | None = None
    """Reason and message."""
    running_since: datetime | None = None
    exit_code: int | None = None
    """Not None when it has terminated for good."""
    reason: str = ""
    message: str = ""
    """The termination message, or why the runtime could not start it."""
    started: datetime | None = None
    finished: datetime | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One agent pod. Two that are equal lead to the same plan."""

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    owner_uid: str
    session: str
    attempt: int
    created: datetime | None
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    deleting_since: datetime | None = None
    """``deletionTimestamp``: when the grace period ends."""
    containers: tuple[ContainerFacts, ...] = ()
    unschedulable: str = ""
    disrupted: tuple[str, str] | None = None
    """Reason and message of the condition ``DisruptionTarget`` (eviction, drain, preemption, lost node)."""
    node: str = field(default="", compare=False)
    address: str = field(default="", compare=False)
    """IP address, while it has one."""
    answered: bool = field(default=False, compare=False)
    """Its gateway is ready: the model has answered. No news to the session, only to the provider's circuits."""
    reserved: str = ""
    """The annotation ``stint.dev/reserved``: what the gateway may let through, as JSON."""
    gone: bool = False
    """The object is no longer there; these are the last facts we had."""
    unwatched: bool = False
    """It disappeared while nobody watched: it may have done more than these facts say."""

    def container(self, name: str) -> ContainerFacts | None:
        return next((container for container in self.containers if container.name == name), None)

    @property
    def terminal(self) -> bool:
        """Every container has ended, or the whole pod is gone: no writer is left."""
        return self.gone or self.phase in ("Succeeded", "Failed")

    @property
    def lowered(self) -> bool:
        """Budgets have reserved less for the attempt than its own limits left."""
        return bool(self.reserved) and orjson.loads(self.reserved).get("lowered") is True

    @property
    def running(self) -> bool:
        return self.phase == "Running"

    @property
    def problem(self) -> tuple[str, str] | None:
        """Why it does not start: (reason, message), None while nothing is wrong."""
        if self.unschedulable:
            return "Unschedulable", self.unschedulable
        for container in self.containers:
            if container.waiting is not None and container.waiting[0] not in ORDINARY:
                reason, message = container.waiting
                return SAME_PROBLEM.get(reason, reason), message
        return None


def read_pod(pod: dict[str, Any]) -> PodFacts:
    """The facts of a pod as the API server sent it."""
    meta, status = pod["metadata"], pod.get("status") or {}
    labels = meta.get("labels") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    scheduled, disruption = conditions.get("PodScheduled", {}), conditions.get("DisruptionTarget", {})
    owner = next((reference["uid"] for reference in meta.get("ownerReferences") or () if reference.get("controller")), "")
    attempt = labels.get(ATTEMPT_LABEL, "")
    return PodFacts(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        version=int(meta.get("resourceVersion", 0)),
        owner_uid=owner,
        session=labels.get(SESSION_LABEL, ""),
        attempt=int(attempt) if attempt.isdecimal() else 0,
        created=moment(meta.get("creationTimestamp")),
        phase=status.get("phase", "Pending"),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        deleting_since=moment(meta.get("deletionTimestamp")),
        containers=tuple(
            _container(container) for group in ("initContainerStatuses", "containerStatuses") for container in status.get(group) or ()
        ),
        unschedulable=scheduled.get("message", "") if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable" else "",
        disrupted=(disruption["reason"], disruption.get("message", "")) if disruption.get("status") == "True" else None,
        reserved=(meta.get("annotations") or {}).get(RESERVED_ANNOTATION, ""),
        node=(pod.get("spec") or {}).get("nodeName", ""),
        address=status.get("podIP", ""),
        answered=any(one["name"] == GATEWAY and one.get("ready") is True for one in status.get("initContainerStatuses") or ()),
    )


def _real(text: str | None) -> datetime | None:
    """kubelet writes 1970 for a container that could not be started."""
    when = moment(text)
    return when if when is not None and when.year > 1970 else None


def _container(status: dict[str, Any]) -> ContainerFacts:
    state = status.get("state") or {}
    waiting, running, ended = state.get("waiting"), state.get("running"), state.get("terminated")
    last = (status.get("lastState") or {}).get("terminated") or {}
    # What an earlier instance said is out of date once a new one runs.
    message = (ended or {}).get("message", "") or ("" if running else last.get("message", ""))
    return ContainerFacts(
        name=status["name"],
        waiting=(waiting.get("reason", ""), waiting.get("message", "")) if waiting else None,
        running_since=moment(running.get("startedAt")) if running else None,
        exit_code=ended.get("exitCode", 0) if ended else None,
        reason=(ended or {}).get("reason", ""),
        message=message,
        started=_real(ended.get("startedAt")) if ended else None,
        finished=_real(ended.get("finishedAt")) if ended else None,
        restarts=status.get("restartCount", 0),
    )


def vanished(last: PodFacts, unwatched: bool = False) -> PodFacts:
    """The same pod after its object has disappeared."""
    return replace(last, gone=True, unwatched=unwatched)
