"""How an attempt ended: one verdict from everything the pod left behind.

Rules are asked in order; the first that answers wins. What the gateway says of limits stands above what the agent says of itself, and what the
user wanted (suspend, cancel) stands above how the pod happened to die of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from stint import canonical
from stint.budgets.reasons import BUDGET_SPENT
from stint.sessions import reasons
from stint.sessions.evidence import START_ERROR, has_run
from stint.sessions.observed import Observed
from stint.sessions.pod_facts import AGENT, CLONE, CONTINUE, GATEWAY, PodFacts
from stint.sessions.reports import Report, Result, last_result, read_init_error, read_report, read_result

SUCCEEDED, FAILED, SUSPENDED, CANCELLED, DISRUPTED, START_FAILED = "Succeeded", "Failed", "Suspended", "Cancelled", "Disrupted", "StartFailed"
INIT_CLASSES = {CLONE: "CloneFailed", CONTINUE: "ContinueFailed"}
RATE_LIMITED = "RateLimited"
OOM_KILLED, DEADLINE_EXCEEDED = "OOMKilled", "DeadlineExceeded"


@dataclass(frozen=True, slots=True)
class Ending:
    """The verdict: ``outcome`` is one of the six above, ``reason`` a CamelCase word, ``message`` a sentence."""

    outcome: str
    reason: str
    message: str = ""
    api_status: int | None = None
    resets_at: datetime | None = None
    retry_after: datetime | None = None
    """The moment before which the model's API does not want to be asked again, if it named one."""


@dataclass(frozen=True)
class Remains:
    """A pod that has ended, with its last words read."""

    seen: Observed
    pod: PodFacts

    @cached_property
    def result(self) -> Result | None:
        agent = self.pod.container(AGENT)
        brief = read_result(agent.message) if agent else None
        if brief is not None and brief.truncated:
            return last_result(self.seen.log_tail) or brief
        return brief

    @cached_property
    def report(self) -> Report | None:
        gateway = self.pod.container(GATEWAY)
        return read_report(gateway.message) if gateway else None

    @cached_property
    def gateway_error(self) -> tuple[str, str] | None:
        """Why the gateway could not start, or not start again. Then nothing that the pod says about its answers is worth anything."""
        gateway = self.pod.container(GATEWAY)
        return read_init_error(gateway.message, "InputInvalid") if gateway else None

    @property
    def never_served(self) -> bool:
        """The gateway did not even start once, so nothing was let through. A later failure proves nothing: the agent may have caused it."""
        gateway = self.pod.container(GATEWAY)
        return self.gateway_error is not None and self.report is None and gateway is not None and gateway.restarts == 0

    @property
    def exit_code(self) -> int | None:
        agent = self.pod.container(AGENT)
        return agent.exit_code if agent else None

    @property
    def schema(self) -> dict[str, Any] | None:
        return self.seen.resolved.agent.output_schema if self.seen.resolved else None


def ending(remains: Remains) -> Ending:
    """How the attempt of this pod ended."""
    for rule in RULES:
        verdict = rule(remains)
        if verdict is not None:
            return verdict
    return Ending(FAILED, reasons.AGENT_CRASHED, "the agent container ended without a result; see the log of its pod")


def succeeded(remains: Remains) -> Ending | None:
    result = remains.result
    if result is None or result.outcome != "Succeeded" or remains.exit_code != 0:
        return None
    problem = output_problem(remains.schema, result, remains.report)
    return Ending(FAILED, reasons.OUTPUT_INVALID, problem) if problem else Ending(SUCCEEDED, reasons.COMPLETED)


def output_problem(schema: dict[str, Any] | None, result: Result, report: Report | None) -> str:
    """Why the output is not what was asked for; empty when it is.

    The gateway validated it, out of the agent's reach. The hash ties its verdict to the very value that the runner handed on.
    """
    if schema is None:
        return ""
    if result.structured is None:
        return "the agent gave no structured output"
    if report is None or report.output_sha256 is None:
        return "the output was not validated: the gateway's report is missing"
    if not report.output_valid:
        return f"the output does not match spec.agent.outputSchema: {report.output_error}"
    if not result.storable:
        return "the output is nested too deeply or holds a number beyond 64 bits: it cannot be stored in an API object"
    if report.output_sha256 != canonical.sha256(result.structured):
        return "the output is not the one that was validated"
    return ""


def limit_reached(remains: Remains) -> Ending | None:
    report = remains.report
    if report is None or report.limit_reached is None or _interrupted_on_purpose(remains):
        return None
    return Ending(FAILED, reasons.BUDGET_REACHED, used_up(report.limit_reached))


def used_up(limit: str) -> str:
    """What a session is told that has reached ``cost`` or ``tokens``."""
    return f"limits.{limit} is used up; raise spec.limits.{limit} to go on where it stopped"


def _interrupted_on_purpose(remains: Remains) -> bool:
    return remains.seen.cancelled or remains.seen.suspended or remains.seen.spent_out is not None


def cancelled(remains: Remains) -> Ending | None:
    return Ending(CANCELLED, reasons.CANCELLED, "cancelled by spec.cancel") if remains.seen.cancelled else None


def suspended(remains: Remains) -> Ending | None:
    return Ending(SUSPENDED, reasons.SUSPENDED, "suspended by spec.suspend") if remains.seen.suspended else None


def spent_out(remains: Remains) -> Ending | None:
    """Its pod was deleted because a budget is spent; one that had ended by itself before is judged by what it did."""
    out = remains.seen.spent_out
    if out is None or (remains.pod.deleting_since is None and not remains.pod.gone):
        return None
    return Ending(SUSPENDED if out.action == "Suspend" else FAILED, BUDGET_SPENT, out.message)


def deadline_exceeded(remains: Remains) -> Ending | None:
    if remains.pod.reason != DEADLINE_EXCEEDED:
        return None
    return Ending(FAILED, reasons.TIMEOUT, "limits.timeout has passed")


def gateway_failed(remains: Remains) -> Ending | None:
    return Ending(FAILED, *remains.gateway_error) if remains.gateway_error else None


def init_failed(remains: Remains) -> Ending | None:
    for name in (CLONE, CONTINUE):
        container = remains.pod.container(name)
        error = read_init_error(container.message, INIT_CLASSES[name]) if container is not None and container.exit_code else None
        if error is not None:
            return Ending(FAILED, *error)
    return None


def init_crashed(remains: Remains) -> Ending | None:
    for name in (CLONE, CONTINUE):
        container = remains.pod.container(name)
        if container is not None and container.exit_code:
            return Ending(FAILED, reasons.AGENT_CRASHED, f"the init container {name} ended with exit code {container.exit_code}")
    return None


def could_not_start(remains: Remains) -> Ending | None:
    for container in remains.pod.containers:
        if container.reason == START_ERROR:
            return Ending(FAILED, "InputInvalid", f"container {container.name} could not be started: {container.message}")
    return None


def failed(remains: Remains) -> Ending | None:
    result = remains.result
    if result is None or result.outcome != "Failed" or not result.error_class:
        return None
    if result.error_class == reasons.BUDGET_REACHED:  # the gateway would have said so itself
        return Ending(FAILED, reasons.AGENT_CRASHED, "the agent says that its budget is reached, but the gateway does not")
    advice = remains.report.retry_after if remains.report else None
    return Ending(FAILED, result.error_class, result.error_message, result.api_status, _reset(remains, result), advice)


def _reset(remains: Remains, result: Result) -> datetime | None:
    """When the window that was reached is reset, if the gateway saw the refusal too: waiting for it uses up no retry."""
    if result.error_class != RATE_LIMITED or remains.report is None or remains.report.last_status != 429:
        return None
    return result.resets_at if result.resets_at is not None and result.resets_at > remains.seen.now else None


def never_started(remains: Remains) -> Ending | None:
    """It was deleted because limits.startTimeout had passed; what kept it from starting is in the status if it had a name."""
    seen, pod = remains.seen, remains.pod
    limit = timedelta(seconds=seen.terms.start_timeout) if seen.terms else None
    if limit is None or pod.created is None or (pod.deleting_since or seen.now) < pod.created + limit or has_run(pod, seen.status):
        return None
    waiting = seen.status.get("waitingFor") or {}
    told = next((one.get("message", "") for one in seen.status.get("conditions") or () if one["type"] == "Ready"), "")
    named = waiting.get("kind") == "Pod" and waiting.get("name") == pod.name
    why = f"{waiting.get('reason')}: {told}" if named else "its containers were not created in time; see the Events of the pod"
    return Ending(START_FAILED, reasons.START_TIMEOUT, f"pod {pod.name} did not start within limits.startTimeout: {why}")


def disrupted(remains: Remains) -> Ending | None:
    pod = remains.pod
    if pod.disrupted is not None:
        return Ending(DISRUPTED, pod.disrupted[0], pod.disrupted[1] or "the cluster took the pod away")
    if pod.reason == reasons.EVICTED:
        return Ending(DISRUPTED, reasons.EVICTED, pod.message)
    if pod.reason == reasons.POD_LOST or pod.unwatched:
        return Ending(DISRUPTED, reasons.POD_LOST, "the pod disappeared while nobody watched; what it used is estimated until its journal is read")
    if pod.deleting_since is not None or pod.gone:
        return Ending(DISRUPTED, reasons.POD_DELETED, "the pod was deleted")
    return None


def out_of_memory(remains: Remains) -> Ending | None:
    for container in remains.pod.containers:
        if container.reason == OOM_KILLED:
            advice = "raise spec.podTemplate.resources.limits.memory" if container.name == AGENT else "raise the gateway's memory (chart value)"
            return Ending(FAILED, reasons.AGENT_CRASHED, f"container {container.name} ran out of memory: {advice}")
    return None


Rule = Callable[[Remains], Ending | None]
RULES: tuple[Rule, ...] = (
    gateway_failed,
    succeeded,
    limit_reached,
    cancelled,
    suspended,
    spent_out,
    deadline_exceeded,
    init_failed,
    could_not_start,
    failed,
    never_started,
    disrupted,
    out_of_memory,
    init_crashed,
)
