"""Gathers everything that decisions about a session need into one `Observed`. The only place of this package that waits for anything."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from stint.api.base import InvalidObject
from stint.api.profile import AgentProfile, ProfileSpec
from stint.api.provider import ModelProvider
from stint.api.session import SessionSpec
from stint.engine.cache import Held, ObjectCache
from stint.engine.keys import Key
from stint.engine.plan import Refusal
from stint.kube.client import KubeClient
from stint.kube.errors import ApiError, Unreachable
from stint.sessions.observed import Observed, Provider, Source
from stint.sessions.pod.network import policy_name
from stint.sessions.pod_facts import AGENT
from stint.sessions.pod_store import PodStore
from stint.sessions.policy_store import PolicyStore
from stint.sessions.presence import PresenceChecks
from stint.sessions.references import references
from stint.sessions.reports import read_result
from stint.sessions.resolve import resolve
from stint.settings import Settings

LOG_LINES = 8
"""The runtime splits a line every 16 KiB; the result's line has 64 KiB at most, and what follows it is nothing."""
LOG_PATIENCE = timedelta(seconds=30)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class World:
    """Where observations come from."""

    client: KubeClient
    sessions: ObjectCache
    profiles: ObjectCache
    providers: ObjectCache
    pods: PodStore
    presence: PresenceChecks
    policies: PolicyStore
    settings: Settings


async def observe(world: World, key: Key, now: datetime, refusal: Refusal | None) -> Observed | None:
    """Everything about one session; None when it is gone."""
    seen = in_caches(world, key, now, refusal)
    if seen is None:
        return None
    if seen.pod is not None:
        log_tail = await _log_tail(world, seen)
        return replace(seen, log_tail=log_tail) if log_tail else seen
    if seen.spec is None or seen.resolved is None or seen.provider is None or not _may_start(seen):
        return seen
    found = await world.presence.check(key.namespace, references(seen.spec, seen.resolved, seen.provider.spec), now)
    return replace(seen, presence=found)


def in_caches(world: World, key: Key, now: datetime, refusal: Refusal | None = None) -> Observed | None:
    """What is known of a session without asking anybody; None when it is gone."""
    item = world.sessions.get(key.namespace, key.name)
    if item is None:
        return None
    meta = item["metadata"]
    pods = tuple(world.pods.of(meta["uid"]))
    seen = Observed(
        now=now, namespace=key.namespace, name=key.name, uid=meta["uid"], generation=meta.get("generation", 0), item=item,
        settings=world.settings, pods=pods, refusal=refusal,
    )  # fmt: skip
    world.pods.settled_up_to(seen.uid, seen.settled)
    return replace(seen, **_around(world, seen, item.get("spec") or {}))


def _around(world: World, seen: Observed, raw_spec: dict[str, Any]) -> dict[str, Any]:
    """What the spec and the objects it names add to ``seen``, by field; as far as they can be read."""
    namespace = seen.namespace
    try:
        spec = SessionSpec.read(raw_spec)
    except InvalidObject as problem:
        return {"invalid": str(problem)}
    found: dict[str, Any] = {"spec": spec}
    try:
        profile = _profile(world, namespace, spec)
        if spec.profile_ref is not None and profile is None:
            return found
        resolved = found["resolved"] = resolve(spec, profile, world.settings.default_cost_limit)
    except ValueError as problem:
        name = spec.profile_ref.name if spec.profile_ref else ""
        return found | {"invalid": f"AgentProfile {name}: {problem}" if name else str(problem)}
    try:
        found["provider"] = _provider(world, namespace, resolved.provider)
    except InvalidObject as problem:
        return found | {"invalid": f"ModelProvider {resolved.provider}: {problem}"}
    if spec.continue_from is not None and (resolved.ephemeral or not seen.has_talked):
        try:
            found["source"] = _source(world, namespace, spec.continue_from.name)
        except ValueError as problem:
            return found | {"invalid": f"AgentSession {spec.continue_from.name}: {problem}"}
    found["policy_in_place"] = world.policies.spec(namespace, policy_name(resolved.provider))
    return found


def _may_start(seen: Observed) -> bool:
    """Whether it is worth asking for Secrets and ConfigMaps."""
    return not (seen.deleting or seen.suspended or seen.cancelled or (seen.finished and not seen.rerun_requested))


def _shared(world: World, cache: ObjectCache, namespace: str, name: str) -> Held | None:
    """The one rule for sharing: the session's namespace first, then the system namespace."""
    return cache.held(namespace, name) or cache.held(world.settings.system_namespace, name)


def _profile(world: World, namespace: str, spec: SessionSpec) -> ProfileSpec | None:
    found = _shared(world, world.profiles, namespace, spec.profile_ref.name) if spec.profile_ref else None
    return AgentProfile.read(found.parsed()).spec if found else None


@lru_cache(maxsize=256)
def _read_provider(name: str, found: Held) -> Provider:
    return Provider(name, found.namespace, ModelProvider.read(found.parsed()).spec)


def _provider(world: World, namespace: str, name: str) -> Provider | None:
    found = _shared(world, world.providers, namespace, name)
    return _read_provider(name, found) if found else None


def _source(world: World, namespace: str, name: str) -> Source | None:
    item = world.sessions.get(namespace, name)
    if item is None:
        return None
    status = item.get("status") or {}
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}
    source_spec = SessionSpec.read(item.get("spec") or {})
    profile = _profile(world, namespace, source_spec)
    resolved = resolve(source_spec, profile, world.settings.default_cost_limit)
    over = bool(status.get("completionTime")) or conditions.get("Suspended") == "True"
    removed = over and status.get("volumeSince", 0) > status.get("attempt", 0)  # and no attempt has begun on another volume
    return Source(item["metadata"]["uid"], over and bool(status.get("history")), resolved.ephemeral or removed)


async def _log_tail(world: World, seen: Observed) -> str:
    """The end of the log, when the pod has ended and its result says that it was cut."""
    pod = seen.pod
    agent = pod.container(AGENT) if pod else None
    if pod is None or agent is None or not pod.terminal or pod.gone:
        return ""
    result = read_result(agent.message)
    if result is None or not result.truncated:
        return ""
    try:
        return await world.client.log_tail(pod.namespace, pod.name, AGENT, LOG_LINES)
    except (ApiError, Unreachable) as failure:
        if agent.finished is not None and seen.now - agent.finished < LOG_PATIENCE:
            raise
        log.warning("%s/%s: the log cannot be read, the short result must do: %s", pod.namespace, pod.name, failure)
        return ""

