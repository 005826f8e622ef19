"""What to do about a session now. Read `plan` from top to bottom: it is the whole life of a session.

Pure: no client, no clock, no Kopf. Everything it knows is in `Observed`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from stint.budgets.reasons import BUDGET_FULL, BUDGET_REJECTED, BUDGET_WARNING
from stint.budgets.verdict import Verdict, sentence
from stint.engine.conditions import moment, timestamp
from stint.engine.plan import Create, Delete, EventRecord, Plan, Stalled, Waiting
from stint.kube.resources import CLAIMS, NETWORK_POLICIES, PODS
from stint.providers.reasons import CIRCUIT_OPEN, WINDOW_REJECTED, WINDOW_WARNING
from stint.sessions import reasons
from stint.sessions.conditions import Facts, conditions, phase
from stint.sessions.ending import CANCELLED, FAILED, START_FAILED, SUCCEEDED, SUSPENDED, Ending, Remains
from stint.sessions.expiry import expire
from stint.sessions.holds import backing_off, hold, waits_for_traffic
from stint.sessions.names import FINALIZER, conversation
from stint.sessions.observed import Observed
from stint.sessions.pod.claim import volume_claim
from stint.sessions.pod.manifest import GRACE_SECONDS, agent_pod
from stint.sessions.pod.network import network_policy
from stint.sessions.pod_facts import AGENT, ContainerFacts, PodFacts
from stint.sessions.settlement import begun, finish, settle

UNKNOWN_START_TIMEOUT = 300.0  # seconds, when the spec cannot be read
IN_LINE = (BUDGET_FULL, CIRCUIT_OPEN, WINDOW_REJECTED, WINDOW_WARNING)
"""Who waits for these stands in a line that moves without a word to each."""
PATIENCE = timedelta(seconds=4)
"""How long something may keep a pod from starting before it is worth a word."""
USED_UP = (reasons.BUDGET_REACHED, reasons.RESERVATION_USED)
RESERVATION_USED = (
    "what the budgets have reserved for a session that names no limit is used up; set spec.limits to more than status.usage, and it goes on where it "
    "stopped"
)
RELEASED_AFTER = timedelta(minutes=5)
"""How long the deletion of a session may wait for its budgets."""
LOST_AFTER = timedelta(seconds=15)
"""How long after the end of its grace period a pod that is still there counts as on a lost node."""


def plan(seen: Observed) -> Plan:
    """The next step of this session."""
    if seen.deleting:
        return _leave(seen)
    pod = seen.pod
    if pod is not None:
        return _settle(seen, pod) if pod.terminal else _supervise(seen, pod)
    if _lost_unseen(seen):
        return _settle(seen, _unseen_pod(seen))
    leftovers = [old for old in seen.pods if not old.terminal]
    if leftovers:  # of settled attempts: a crash came between the status and the deletion
        return Plan(delete=tuple(_delete(old) for old in leftovers if old.deleting_since is None))
    if seen.finished and not seen.rerun_requested:
        return expire(seen)
    if seen.cancelled:
        return _cancel_unstarted(seen)
    if seen.suspended:
        return Plan(status=_status(seen, begun(seen), Facts(reasons.SUSPENDED, "suspended by spec.suspend", suspended=True)))
    if seen.admission is not None and seen.admission.outcome == BUDGET_REJECTED:
        return _reject(seen, seen.admission)
    holding = hold(seen)
    if holding is not None:
        return _hold(seen, holding)
    return _start(seen)


def _leave(seen: Observed) -> Plan:
    """What it owns is garbage collected once it is gone. If a budget counts what it used, that is settled and carried over before."""
    if FINALIZER not in seen.finalizers:
        return Plan()
    overdue = _overdue(seen)
    pod = _unseen_pod(seen) if seen.pod is None and _lost_unseen(seen) else seen.pod
    if pod is not None and pod.terminal:
        return replace(_settle(seen, pod), events=(), look_again=seen.now)
    if pod is not None and seen.now < overdue:
        return Plan(delete=() if pod.deleting_since else (_delete(pod),), look_again=overdue)
    if not seen.carried and seen.now < overdue:
        return Plan(look_again=overdue)
    lost = EventRecord(reasons.USAGE_NOT_CARRIED, "deleted without its usage having been written down in its budgets, after 5 minutes", warning=True)
    return Plan(finalizers=tuple(each for each in seen.finalizers if each != FINALIZER), events=() if seen.carried else (lost,))


def ready_to_leave(seen: Observed) -> bool:
    """It is to be deleted, budgets wait for what it used, and that is known, or will not be known any more."""
    if not seen.deleting or FINALIZER not in seen.finalizers:
        return False
    settled = seen.pod is None and not _lost_unseen(seen)
    return settled or (seen.now >= _overdue(seen) and seen.pod is not None and not seen.pod.terminal)


def _overdue(seen: Observed) -> datetime:
    return (seen.leaving_since or seen.now) + RELEASED_AFTER


def starts(decided: Plan) -> bool:
    """Whether this plan begins an attempt."""
    return any(creation.resource == PODS for creation in decided.create)


def _start(seen: Observed) -> Plan:
    """The network policy and the volume first, so that the pod never runs without them. No status: the pod itself is the record."""
    assert seen.resolved is not None
    creations = []
    if seen.settings.network_policy.enabled:
        policy = network_policy(seen)
        if policy["spec"] != seen.policy_in_place:
            creations.append(Create(NETWORK_POLICIES, policy, shared=True))
    if not seen.resolved.ephemeral:
        creations.append(Create(CLAIMS, volume_claim(seen)))
    creations.append(Create(PODS, agent_pod(seen)))
    warnings = seen.admission.warnings if seen.admission else ()
    events = tuple(EventRecord(BUDGET_WARNING, sentence(short), warning=True) for short in warnings)
    held = (*seen.finalizers, FINALIZER) if seen.counted and FINALIZER not in seen.finalizers else None
    return Plan(finalizers=held, create=tuple(creations), events=events, look_again=seen.now + timedelta(seconds=seen.resolved.start_timeout))


def _supervise(seen: Observed, pod: PodFacts) -> Plan:
    """The pod is there and has not ended."""
    if pod.deleting_since is not None:
        return _watch_deletion(seen, pod, pod.deleting_since)
    if seen.cancelled or seen.suspended or seen.spent_out:
        return Plan(delete=(_delete(pod),))
    if pod.running:
        return _running(seen, pod)
    return _starting(seen, pod)


def _running(seen: Observed, pod: PodFacts) -> Plan:
    status = begun(seen)
    agent = pod.container(AGENT)
    started = agent.running_since if agent and agent.running_since else seen.now
    status.update(attempt=pod.attempt, podName=pod.name, podUID=pod.uid, sessionID=conversation(seen.uid))
    status.pop("nextRetryTime", None)
    status.setdefault("startTime", timestamp(started))
    if pod.reserved:  # also what limits leave: they may be edited, and the pod be lost, while nobody looks
        status["reserved"] = {name: value for name, value in orjson.loads(pod.reserved).items() if name != "lowered" and value is not None}
    return Plan(status=_status(seen, status, Facts(reasons.POD_RUNNING, running=True)))


def _starting(seen: Observed, pod: PodFacts) -> Plan:
    """Nothing is written while a pod starts as pods do; a problem is named; and it may not take for ever."""
    deadline = (pod.created or seen.now) + timedelta(seconds=seen.terms.start_timeout if seen.terms else UNKNOWN_START_TIMEOUT)
    problem = pod.problem
    patient_until = (pod.created or seen.now) + PATIENCE
    if problem is not None and seen.now < patient_until:  # volumes and nodes take a moment
        return Plan(look_again=patient_until)
    if seen.now >= deadline:  # settled when the pod is gone: it might start at this very moment
        return Plan(delete=(_delete(pod),))
    told = (seen.status.get("waitingFor") or {}).get("reason")
    if told == (problem[0] if problem else None):  # the words of a problem change with every try; its name is what matters
        return Plan(look_again=deadline)
    status = begun(seen)
    status.pop("podUID", None)
    status.update(attempt=pod.attempt, podName=pod.name)
    if problem is not None:
        status["waitingFor"] = {"kind": "Pod", "name": pod.name, "reason": problem[0]}
    return Plan(status=_status(seen, status, Facts(*(problem or (reasons.POD_PENDING, "")))), look_again=deadline)


def _watch_deletion(seen: Observed, pod: PodFacts, grace_ends: datetime) -> Plan:
    """Somebody deletes it. The next attempt waits until it is gone: two writers would spoil the conversation."""
    overdue = grace_ends + LOST_AFTER
    if seen.now < overdue:
        return Plan(look_again=overdue)
    message = (
        f"pod {pod.name} should be gone but node {pod.node or 'unknown'} does not confirm it; if the node is lost for good, "
        "taint it with node.kubernetes.io/out-of-service"
    )
    return _hold(seen, Waiting(reasons.NODE_LOST, message, kind="Pod", name=pod.name), attempt=pod)


def _settle(seen: Observed, pod: PodFacts) -> Plan:
    remains = Remains(seen, pod)
    status, verdict = settle(remains)
    result = remains.result
    keep_log = pod.gone or pod.deleting_since is not None or verdict.outcome != SUSPENDED
    if verdict.reason == reasons.BUDGET_REACHED and pod.lowered:
        verdict = replace(verdict, reason=reasons.RESERVATION_USED, message=RESERVATION_USED)
    return _settled(seen, status, verdict, result.tools if result else (), () if keep_log else (_delete(pod),))


def _settled(seen: Observed, status: dict[str, Any], verdict: Ending, tools: tuple[dict[str, Any], ...], delete: tuple[Delete, ...]) -> Plan:
    finished = bool(status.get("completionTime"))
    error = (status.get("result") or {}).get("error") or {}
    if finished and error:  # more than the last attempt's ending may be to blame
        verdict = Ending(verdict.outcome, error["class"], error["message"])
    retry = moment(status.get("nextRetryTime"))
    budget = verdict.reason in USED_UP
    blocked = waits_for_traffic(seen) if not finished and verdict.outcome in (FAILED, START_FAILED) and not budget else None
    if retry is not None or blocked is not None:
        holding = blocked if isinstance(blocked, Waiting) else backing_off(status, retry or seen.now)
        status["waitingFor"] = _waiting_for(holding)
        facts = Facts(holding.reason, holding.message, holding, tools=tools)
    else:
        facts = Facts(
            verdict.reason, verdict.message, Stalled(verdict.reason, verdict.message) if budget else None,
            suspended=not finished and (verdict.outcome == SUSPENDED or budget),
            finished=verdict.outcome == SUCCEEDED if finished else None,
            tools=tools,
        )  # fmt: skip
    quiet = verdict.outcome in (SUCCEEDED, SUSPENDED, CANCELLED)
    events = () if quiet else (EventRecord(verdict.reason, f"attempt {status['attempt']}: {verdict.message}", warning=True),)
    again = seen.now if blocked else retry or (None if finished and seen.spec and seen.spec.ttl_seconds_after_finished is None else seen.now)
    return Plan(status=_status(seen, status, facts), delete=delete, events=events, look_again=again)


def _hold(seen: Observed, holding: Waiting | Stalled, attempt: PodFacts | None = None) -> Plan:
    status = begun(seen)
    again = None
    if isinstance(holding, Waiting):
        if holding.reason in IN_LINE and _is_told(seen, holding):
            return Plan()  # the queue has moved: no reason to write to everybody who stands in it
        again = None if holding.reason in IN_LINE else holding.until  # whose turn it is, the queue tells
        status["waitingFor"] = _waiting_for(holding)
    if attempt is not None:
        status.update(attempt=attempt.attempt, podName=attempt.name)
    facts = Facts(holding.reason, holding.message, holding, suspended=holding.reason in USED_UP)
    told = {condition.get("reason") for condition in seen.status.get("conditions") or ()}
    events = () if holding.reason in told or holding.reason in IN_LINE else (EventRecord(holding.reason, holding.message, warning=True),)
    return Plan(status=_status(seen, status, facts), events=events, look_again=again)


def _is_told(seen: Observed, holding: Waiting) -> bool:
    """Whether the status says already that it waits for this very thing."""
    waiting = seen.status.get("waitingFor") or {}
    dated = holding.reason != BUDGET_FULL or ("until" in waiting) == (holding.until is not None)
    current = seen.status.get("observedGeneration") == seen.generation and dated
    return current and (waiting.get("reason"), waiting.get("kind"), waiting.get("name")) == (holding.reason, holding.kind, holding.name)


def _waiting_for(holding: Waiting) -> dict[str, Any]:
    """``until`` only where it is a fixed moment: one that moves with the clock would be a write at every look."""
    fixed = holding.until if holding.reason == reasons.BACKING_OFF or holding.reason in IN_LINE else None
    found = {"kind": holding.kind, "name": holding.name, "reason": holding.reason, "until": timestamp(fixed) if fixed else ""}
    return {name: value for name, value in found.items() if value}


def _cancel_unstarted(seen: Observed) -> Plan:
    return _end_unstarted(seen, reasons.CANCELLED, "cancelled by spec.cancel")


def _reject(seen: Observed, verdict: Verdict) -> Plan:
    """There is no room in a budget that lets nobody wait."""
    return _end_unstarted(seen, verdict.outcome, verdict.message, (EventRecord(verdict.outcome, verdict.message, warning=True),))


def _end_unstarted(seen: Observed, reason: str, message: str, events: tuple[EventRecord, ...] = ()) -> Plan:
    status = begun(seen)
    finish(status, seen.now)
    status["result"] = {"error": {"class": reason, "message": message}, "truncated": False}
    return Plan(status=_status(seen, status, Facts(reason, message, finished=False)), events=events, look_again=seen.now)


def _lost_unseen(seen: Observed) -> bool:
    """The status says that an attempt ran, but its pod is gone and nobody saw it end."""
    return int(seen.status.get("attempt", 0)) > seen.settled and not seen.finished


def _unseen_pod(seen: Observed) -> PodFacts:
    agent = ContainerFacts(AGENT, running_since=seen.now if "podUID" in seen.status else None)
    return PodFacts(
        namespace=seen.namespace, name=seen.status.get("podName", ""), uid=seen.status.get("podUID", ""), version=0,
        owner_uid=seen.uid, session=seen.name,
        attempt=int(seen.status["attempt"]), created=None, reason=reasons.POD_LOST, containers=(agent,), gone=True,
    )  # fmt: skip


def _delete(pod: PodFacts) -> Delete:
    return Delete(PODS, pod.namespace, pod.name, pod.uid, GRACE_SECONDS)


def _status(seen: Observed, status: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """Complete a status with its conditions; fields without a value are left out."""
    status["phase"] = phase(facts)
    status["conditions"] = conditions(facts, seen.status, seen.generation, seen.now)
    return {name: value for name, value in status.items() if value is not None}
