"""What tests of decisions start from: a session and everything around it, each with defaults that make it ordinary.

Everything is given as JSON, as the API server would send it, and read by the code that reads it in production. An input that no cluster can show is
refused (`Impossible`): a test that starts from one proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from simulation import pod_status
from simulation.pod_status import Json, stamp
from simulation.structural import defaulted, problems, schema_of
from stint.api.base import InvalidObject
from stint.api.profile import AgentProfile
from stint.api.provider import ModelProvider
from stint.api.session import SessionSpec
from stint.engine.plan import Refusal
from stint.sessions.names import ATTEMPT_LABEL, MANAGED_BY, MANAGED_BY_LABEL, SESSION_LABEL, SESSION_UID_LABEL
from stint.sessions.observed import Observed, Presence, Provider, Source
from stint.sessions.pod_facts import PodFacts, read_pod, vanished
from stint.sessions.references import Reference
from stint.sessions.resolve import resolve
from stint.settings import Settings

NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
NAMESPACE, NAME, UID = "team-a", "fix-test", "0a1b2c3d-1111-4222-8333-444455556666"
SETTINGS = Settings(system_namespace="stint-system", agent_image="agent:1", gateway_image="operator:1")


class Impossible(AssertionError):
    """A test asks about something that no cluster can show."""


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def ahead(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def session(
    spec: Json | None = None,
    status: Json | None = None,
    *,
    name: str = NAME,
    namespace: str = NAMESPACE,
    uid: str = UID,
    generation: int = 1,
    version: int = 100,
    **meta: Any,
) -> Json:
    """An AgentSession as the API server stores it."""
    item = {
        "apiVersion": "stint.dev/v1alpha1",
        "kind": "AgentSession",
        "metadata": {
            "name": name, "namespace": namespace, "uid": uid, "generation": generation, "resourceVersion": str(version),
            "creationTimestamp": stamp(ago(3600)), **meta,
        },
        "spec": {"prompt": "Fix the failing test", **(spec or {})},
    }  # fmt: skip
    return _stored("agentsessions", item, status)


def profile(spec: Json | None = None, *, name: str = "bug-fixer", namespace: str = NAMESPACE, status: Json | None = None, **meta: Any) -> Json:
    item = {"apiVersion": "stint.dev/v1alpha1", "kind": "AgentProfile", "metadata": _meta(name, namespace, **meta), "spec": spec or {}}
    return _stored("agentprofiles", item, status)


def provider(spec: Json | None = None, *, name: str = "default", namespace: str = NAMESPACE, status: Json | None = None, **meta: Any) -> Json:
    item = {"apiVersion": "stint.dev/v1alpha1", "kind": "ModelProvider", "metadata": _meta(name, namespace, **meta), "spec": spec or {}}
    return _stored("modelproviders", item, status)


def _meta(name: str, namespace: str, **more: Any) -> Json:
    return {"name": name, "namespace": namespace, "uid": f"uid-of-{namespace}-{name}", "generation": 1, "resourceVersion": "50", **more}


def _stored(plural: str, item: Json, status: Json | None) -> Json:
    if status is not None:
        item["status"] = status
    schema = schema_of(plural)
    defaulted(schema, item)
    wrong = problems(schema, item)
    if wrong:
        raise Impossible("; ".join(wrong))
    return item


def attempt(number: int = 1, outcome: str = "Succeeded", reason: str = "Completed", **fields: Any) -> Json:
    """An entry of the history."""
    return {
        "attempt": number, "podName": f"{NAME}-{number}", "podUID": f"pod-{number}", "start": stamp(ago(600)), "end": stamp(ago(300)),
        "outcome": outcome, "reason": reason, **pod_status.counts("0"), "estimated": False, **fields,
    }  # fmt: skip


def status(**fields: Any) -> Json:
    """A session's status; what follows from its history is filled in."""
    history = fields.get("history") or []
    found: Json = {"observedGeneration": 1}
    if history:
        found |= {"attempt": history[-1]["attempt"], "podName": history[-1]["podName"], "startTime": history[0]["start"]}
    return found | fields


def running_status(number: int = 1, **fields: Any) -> Json:
    """What stands in the status while an attempt runs."""
    conditions = [condition("Admitted", "True", "Admitted"), condition("Running", "True", "PodRunning")]
    current = {"attempt": number, "podName": f"{NAME}-{number}", "podUID": f"pod-{number}"}
    return status(**{"conditions": conditions, "phase": "Running", **fields}) | current


def finished_status(outcome: str = "Succeeded", *, ended: float = 60, **fields: Any) -> Json:
    """What stands in the status of a session that ended so many seconds ago."""
    good = outcome == "Succeeded"
    found: Json = {"history": [attempt(1, outcome, "Completed" if good else "AuthFailed")], "completionTime": stamp(ago(ended)), "phase": outcome}
    found["conditions"] = [condition("Succeeded", "True" if good else "False", "Completed" if good else "AuthFailed")]
    return status(**(found | fields))


def condition(kind: str, value: str = "True", reason: str = "Reason", message: str = "", *, since: datetime | None = None) -> Json:
    return {
        "type": kind, "status": value, "reason": reason, "message": message, "observedGeneration": 1, "lastTransitionTime": stamp(since or ago(300)),
    }  # fmt: skip


def pod(
    state: Json | None = None,
    number: int = 1,
    *,
    uid: str = "",
    owner: str = UID,
    name: str = NAME,
    namespace: str = NAMESPACE,
    version: int = 200,
    created: datetime | None = None,
    deleting: datetime | None = None,
    node: str = "node-1",
    labels: Mapping[str, str] | None = None,
    **meta: Any,
) -> Json:
    """An agent pod as the API server sends it; ``deleting`` is when its grace period ends."""
    reference = {"apiVersion": "stint.dev/v1alpha1", "kind": "AgentSession", "name": name, "uid": owner, "controller": True}
    item: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{number}", "namespace": namespace, "uid": uid or f"pod-{number}", "resourceVersion": str(version),
            "creationTimestamp": stamp(created or ago(60)), "ownerReferences": [reference] if owner else [],
            "labels": {MANAGED_BY_LABEL: MANAGED_BY, SESSION_LABEL: name, SESSION_UID_LABEL: owner, ATTEMPT_LABEL: str(number), **(labels or {})},
            **meta,
        },
        "spec": {"nodeName": node} if node else {},
        "status": state if state is not None else pod_status.pending(),
    }  # fmt: skip
    if deleting is not None:
        item["metadata"]["deletionTimestamp"] = stamp(deleting)
        item["metadata"]["deletionGracePeriodSeconds"] = 30
    return item


def running_pod(number: int = 1, *, since: float = 30, **more: Any) -> Json:
    return pod(pod_status.at_work(ago(since)), number, created=ago(since + 5), **more)


def ended_pod(
    result: str = "", report: str = "", number: int = 1, *, exit_code: int | None = None, ran: float = 120, extra: Json | None = None, **more: Any
) -> Json:
    """A pod whose containers ended 10 s ago; exit code 0 goes with a result that says Succeeded."""
    code = (0 if '"Succeeded"' in result else 1) if exit_code is None else exit_code
    state = pod_status.ended(result, report, exit_code=code, started=ago(10 + ran), finished=ago(10), **(extra or {}))
    return pod(state, number, created=ago(15 + ran), **more)


@dataclass(frozen=True)
class Gone:
    """A pod that is no longer there; the JSON is what was last seen of it."""

    last: Json


def facts(item: Json | Gone) -> PodFacts:
    return vanished(read_pod(item.last)) if isinstance(item, Gone) else read_pod(item)


def observed(
    item: Json | None = None,
    *,
    pods: Iterable[Json | Gone] = (),
    profile: Json | None = None,
    provider: Json | None = None,
    no_provider: bool = False,
    source: Source | None = None,
    presence: Mapping[Reference, Presence] | None = None,
    log_tail: str = "",
    policy: Json | None = None,
    refusal: Refusal | None = None,
    now: datetime = NOW,
    settings: Settings = SETTINGS,
) -> Observed:
    """What `observe` would gather; by default a new session with a provider, whose Secret is there."""
    item = item or session()
    meta = item["metadata"]
    found = sorted((facts(one) for one in pods), key=lambda one: one.attempt)
    seen = Observed(
        now=now, namespace=meta["namespace"], name=meta["name"], uid=meta["uid"], generation=meta["generation"], item=item, settings=settings,
        pods=tuple(found), refusal=refusal,
    )  # fmt: skip
    given = None if no_provider else (provider or globals()["provider"]())
    seen = replace(_resolved(seen, item, profile, given), source=source, log_tail=log_tail, policy_in_place=policy, presence=dict(presence or {}))
    _refuse_the_impossible(seen)
    return seen


def _resolved(seen: Observed, item: Json, profile: Json | None, provider: Json | None) -> Observed:
    try:
        spec = SessionSpec.read(item["spec"])
        base = AgentProfile.read(profile).spec if profile else None
        if spec.profile_ref is not None and base is None:
            return replace(seen, spec=spec)
        resolved = resolve(spec, base if spec.profile_ref else None, seen.settings.default_cost_limit)
        where = None
        if provider is not None:
            name = provider["metadata"]["name"]
            if name != resolved.provider:
                raise Impossible(f"the session uses provider {resolved.provider}, not {name}")
            where = Provider(name, provider["metadata"]["namespace"], ModelProvider.read(provider).spec)
    except (InvalidObject, ValueError) as problem:
        return replace(seen, invalid=str(problem))
    return replace(seen, spec=spec, resolved=resolved, provider=where)


def _refuse_the_impossible(seen: Observed) -> None:
    numbers = [entry["attempt"] for entry in seen.status.get("history") or ()]
    checks = {
        "history is not in order": numbers != sorted(set(numbers)),
        "the latest attempt is older than the history": bool(numbers) and seen.status.get("attempt", 0) < numbers[-1],
        "a finished session has a next attempt": seen.finished and "nextRetryTime" in seen.status,
        "a pod belongs to another session": any(pod.owner_uid != seen.uid for pod in seen.pods),
        "two pods of one name": len({pod.name for pod in seen.pods if not pod.gone}) < sum(not pod.gone for pod in seen.pods),
        "two pods can write": sum(not pod.terminal for pod in seen.pods) > 1,
        "a source without continueFrom": seen.source is not None and not (seen.spec and seen.spec.continue_from),
        "presence was asked without a provider": bool(seen.presence) and seen.provider is None,
        "a log without a pod": bool(seen.log_tail) and seen.pod is None,
    }
    wrong = [what for what, is_so in checks.items() if is_so]
    if wrong:
        raise Impossible("; ".join(wrong))
