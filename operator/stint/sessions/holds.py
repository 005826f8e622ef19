"""Why a session does not start yet.

Rules are asked in order; the first that answers wins. A rule sees only `Observed`. `Waiting` goes on by itself once the thing it names changes;
`Stalled` needs a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from stint.budgets.reasons import EXCEEDS_BUDGET
from stint.engine.conditions import moment
from stint.engine.plan import NAME_TAKEN, NAMESPACE_TERMINATING, REFUSED_RETRY, Stalled, Waiting
from stint.sessions import reasons
from stint.sessions.ending import used_up
from stint.sessions.observed import Hold, Observed
from stint.sessions.output_schema import schema_problem
from stint.sessions.resolve import Resolved
from stint.sessions.usage import known, remaining, used

NEW = timedelta(seconds=3)
"""An answer about a Secret may be as old as a session of this age. It is asked for once more before the long wait begins."""


def hold(seen: Observed) -> Hold | None:
    """The first reason not to start an attempt now, None if there is none."""
    for rule in START_RULES:
        answer = rule(seen)
        if answer is not None:
            return answer
    return None


def cannot_be_read(seen: Observed) -> Hold | None:
    return Stalled(reasons.INVALID_SPEC, seen.invalid) if seen.invalid else None


def waits_for_profile(seen: Observed) -> Hold | None:
    assert seen.spec is not None
    if seen.resolved is not None or seen.spec.profile_ref is None:
        return None
    name = seen.spec.profile_ref.name
    message = not_there(seen.namespace, seen.settings.system_namespace, "AgentProfile", name, "profileRef")
    return Waiting(reasons.PROFILE_NOT_FOUND, message, kind="AgentProfile", name=name)


def waits_for_provider(seen: Observed) -> Hold | None:
    assert seen.resolved is not None
    if seen.provider is not None:
        return None
    name = seen.resolved.provider
    message = not_there(seen.namespace, seen.settings.system_namespace, "ModelProvider", name, "providerRef")
    return Waiting(reasons.PROVIDER_NOT_FOUND, message, kind="ModelProvider", name=name)


def not_there(namespace: str, system_namespace: str, kind: str, name: str, field: str) -> str:
    """The sentence about an object that a session refers to and that does not exist."""
    where = f"in namespace {namespace} or {system_namespace}"
    return f"there is no {kind} {name} {where}: create it, and the session starts. {field} cannot be changed: to use another, create another session"


def has_invalid_output_schema(seen: Observed) -> Hold | None:
    assert seen.resolved is not None
    schema = seen.resolved.agent.output_schema
    problem = schema_problem(schema) if schema is not None else ""
    return Stalled(reasons.INVALID_OUTPUT_SCHEMA, f"agent.outputSchema is not a JSON schema: {problem}") if problem else None


def has_used_its_limits(seen: Observed) -> Hold | None:
    """Estimates of lost attempts count here only if no volume will tell the truth later."""
    assert seen.resolved is not None
    usage = used(seen.status) if seen.resolved.ephemeral else known(seen.status)
    cost, tokens = remaining(seen.resolved, usage)
    if cost > 0 and tokens != 0:
        return _has_used_its_time(seen, seen.resolved)
    named = "tokens" if tokens == 0 else "cost"
    return Stalled(reasons.BUDGET_REACHED, used_up(named))


def _has_used_its_time(seen: Observed, resolved: Resolved) -> Hold | None:
    if seen.active_seconds < resolved.timeout:
        return None
    return Stalled(reasons.TIMEOUT, "limits.timeout is used up; raise spec.limits.timeout to go on where it stopped")


def has_used_its_reservation(seen: Observed) -> Hold | None:
    """Trying again at once would only use up the same reserve again; a change of the spec says that it is meant to go on."""
    for condition in seen.status.get("conditions") or ():
        if condition["type"] == "Stalled" and condition["reason"] == reasons.RESERVATION_USED and condition["observedGeneration"] == seen.generation:
            return Stalled(reasons.RESERVATION_USED, condition["message"])
    return None


def waits_for_references(seen: Observed) -> Hold | None:
    for reference, presence in seen.presence.items():
        if presence == "there":
            continue
        whole = presence == "object missing"
        if reference.kind == "Secret":
            reason = reasons.SECRET_MISSING if whole else reasons.SECRET_KEY_MISSING
        else:
            reason = reasons.CONFIG_MAP_MISSING if whole else reasons.CONFIG_MAP_KEY_MISSING
        what = f"{reference.kind} {reference.name}" if whole else f"key {reference.key} of {reference.kind} {reference.name}"
        create = f"create it with key {reference.key}" if whole and reference.key else "create it"
        message = f"{what} is missing in namespace {seen.namespace}: {create}, and the session starts within a minute"
        return Waiting(reason, message, _next_recheck(seen), kind=reference.kind, name=reference.name)
    return None


def _next_recheck(seen: Observed) -> datetime:
    settled = (moment(seen.metadata.get("creationTimestamp")) or seen.now) + NEW
    recheck = seen.now + timedelta(seconds=seen.settings.reference_recheck_seconds)
    return min(settled, recheck) if settled > seen.now else recheck


def waits_for_source(seen: Observed) -> Hold | None:
    assert seen.spec is not None
    if seen.spec.continue_from is None or seen.has_continued:
        return None
    name = seen.spec.continue_from.name
    if seen.source is None:
        message = f"continueFrom: there is no AgentSession {name} in namespace {seen.namespace}"
        return Waiting(reasons.SOURCE_NOT_FOUND, message, kind="AgentSession", name=name)
    if seen.source.ephemeral:
        return Stalled(reasons.SOURCE_HAS_NO_VOLUME, f"continueFrom: session {name} was ephemeral or has expired, so its conversation is gone")
    if not seen.source.over:
        message = f"continueFrom: session {name} is neither finished nor suspended yet"
        return Waiting(reasons.SOURCE_NOT_FINISHED, message, kind="AgentSession", name=name)
    return None


def backs_off(seen: Observed) -> Hold | None:
    when = moment(seen.status.get("nextRetryTime"))
    if when is None or when <= seen.now:
        return None
    return backing_off(seen.status, when)


def backing_off(status: Mapping[str, Any], when: datetime) -> Waiting:
    """What a session says between two attempts."""
    error = (status.get("result") or {}).get("error") or {}
    return Waiting(reasons.BACKING_OFF, f"attempt {status.get('attempt')} failed ({error.get('class')}): {error.get('message', '')}", when)


def waits_for_traffic(seen: Observed) -> Hold | None:
    """An open circuit, a window that is used up, or the turn of others after one of these."""
    blocked = seen.blocked
    if blocked is None:
        return None
    assert seen.provider is not None
    return Waiting(blocked.reason, blocked.message, blocked.until, kind="ModelProvider", name=seen.provider.name)


def waits_for_budgets(seen: Observed) -> Hold | None:
    verdict = seen.admission
    if verdict is None or verdict.admitted:
        return None
    if verdict.outcome == EXCEEDS_BUDGET:
        return Stalled(EXCEEDS_BUDGET, verdict.message)
    return Waiting(verdict.outcome, verdict.message, verdict.until, kind="RateBudget", name=verdict.decisive.budget.name)


def was_refused(seen: Observed) -> Hold | None:
    refusal = seen.refusal
    if refusal is None:
        return None
    reason = refusal.reason if refusal.reason in (NAME_TAKEN, NAMESPACE_TERMINATING) else reasons.POD_REFUSED
    until = seen.now + timedelta(seconds=REFUSED_RETRY)
    return Waiting(reason, f"the API server refused {refusal.kind} {refusal.name}: {refusal.message}", until, refusal.kind, refusal.name)


START_RULES: tuple[Callable[[Observed], Hold | None], ...] = (
    cannot_be_read, waits_for_profile, waits_for_provider, has_invalid_output_schema, has_used_its_limits, has_used_its_reservation,
    waits_for_references, waits_for_source, waits_for_traffic, backs_off, was_refused, waits_for_budgets,
)  # fmt: skip
