"""What is said to a session that is created or changed. Pure: all it knows is the object, the time, and what the replica knows of the cluster.

What is refused: a spec that nobody could ever run, and a session for which a budget with `atLimit: Reject` has no room. What is only warned of:
whatever may still come, because GitOps applies objects in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from stint.admission.answer import NO_ROOM, Answer, invalid
from stint.admission.known import Budgets, Copy
from stint.admission.recent import Place, Recent
from stint.api.base import InvalidObject
from stint.api.profile import ProfileSpec
from stint.api.provider import ProviderSpec
from stint.api.session import SessionSpec
from stint.budgets.amounts import NOTHING, Amounts
from stint.budgets.reasons import BUDGET_REJECTED, EXCEEDS_BUDGET
from stint.budgets.selection import Subject, account_key
from stint.budgets.verdict import Verdict, sentence
from stint.budgets.weigh import request_of, weigh
from stint.identity import annotations_of, creator_of
from stint.sessions.holds import not_there
from stint.sessions.output_schema import schema_problem
from stint.sessions.reports import Usage
from stint.sessions.resolve import Resolved, resolve
from stint.sessions.subject import left_of, subject_of

Item = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """What a replica knows of the cluster."""

    system_namespace: str
    default_cost_limit: str
    profiles: Copy[ProfileSpec]
    providers: Copy[ProviderSpec]
    namespaces: Copy[Mapping[str, str]]
    budgets: Budgets
    recent: Recent


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer, and where the session counts as let in if it is created."""

    answer: Answer
    places: tuple[Place, ...] = ()
    request: Amounts = NOTHING


def judge_session(item: Item, world: World, now: datetime, *, created: bool) -> Judged:
    """The answer to a session that is `created`, or changed. Budgets are asked at its creation only: what is changed later, the controller weighs."""
    namespace = item["metadata"]["namespace"]
    try:
        spec = SessionSpec.read(item.get("spec") or {})
        profile, profile_missing = _profile(spec, namespace, world)
        resolved = None if profile_missing else resolve(spec, profile, world.default_cost_limit)
        resolve(spec, None, world.default_cost_limit)
    except (InvalidObject, ValueError) as problem:
        return Judged(invalid(f"spec: {problem}"))
    schema = spec.agent.output_schema
    wrong = schema_problem(schema) if schema is not None else ""
    if wrong:
        return Judged(invalid(f"spec.agent.outputSchema is not a JSON schema: {wrong}"))
    if not created:
        return Judged(Answer())
    if resolved is None:
        return Judged(Answer((profile_missing,)))
    provider = _shared(world, world.providers, namespace, resolved.provider)
    if provider is None:
        return Judged(Answer((not_there(namespace, world.system_namespace, "ModelProvider", resolved.provider, "providerRef"),)))
    if spec.suspend or spec.cancel:
        return Judged(Answer())
    labels = world.namespaces.get("", namespace) or {}
    subject = subject_of(namespace, labels, item["metadata"].get("labels") or {}, creator_of(annotations_of(item)), resolved, provider)
    return _ask_budgets(_name(item), subject, resolved, world, now)


def _ask_budgets(name: str, subject: Subject, resolved: Resolved, world: World, now: datetime) -> Judged:
    standings = [each for each in world.budgets.of(world.system_namespace, subject.namespace) if each.budget.counts(subject, world.system_namespace)]
    if not standings:
        return Judged(Answer())
    places = tuple((each.budget.key, account_key(each.budget.per, subject)) for each in standings)
    accounts = tuple(each.account(place[1], world.recent.of(place, now)) for each, place in zip(standings, places, strict=True))
    request = request_of(accounts, left_of(resolved, Usage()))
    verdict = weigh(accounts, request, now)
    answer = _answer(name, verdict)
    return Judged(answer, places, request) if verdict.admitted else Judged(answer)  # who waits takes no room, in no budget


def _answer(name: str, verdict: Verdict) -> Answer:
    """A budget that only warns says so in any case; one that lets sessions wait tells that it will; one that rejects rejects."""
    warnings = tuple(f"AgentSession {name} starts without room in {sentence(short)}" for short in verdict.warnings)
    if verdict.admitted:
        return Answer(warnings)
    if verdict.outcome == BUDGET_REJECTED:
        return Answer(warnings, f"no room for AgentSession {name} in {verdict.message}", NO_ROOM)
    if verdict.outcome == EXCEEDS_BUDGET and verdict.decisive.at_limit == "Reject":
        return invalid(f"AgentSession {name} never fits into {verdict.message}")
    waits = "cannot start" if verdict.outcome == EXCEEDS_BUDGET else "waits"
    return Answer((*warnings, f"AgentSession {name} {waits}: {verdict.message}"))


def _profile(spec: SessionSpec, namespace: str, world: World) -> tuple[ProfileSpec | None, str]:
    """The profile, if there is one that can be read; else a sentence, if one is named."""
    if spec.profile_ref is None:
        return None, ""
    name = spec.profile_ref.name
    found = _shared(world, world.profiles, namespace, name)
    return (found, "") if found else (None, not_there(namespace, world.system_namespace, "AgentProfile", name, "profileRef"))


def _shared(world: World, objects: Copy[T], namespace: str, name: str) -> T | None:
    """The one rule for sharing: the session's namespace first, then the system namespace."""
    place = namespace if (namespace, name) in objects else world.system_namespace
    return objects.get(place, name)


def _name(item: Item) -> str:
    meta = item["metadata"]
    return str(meta.get("name") or f"{meta.get('generateName', '')}…")
