"""What a ModelProvider's status says: whether sessions that use it will find their credential, its circuits, and the windows of its credentials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stint.api.provider import ProviderSpec
from stint.engine.conditions import FALSE, TRUE, Condition, merge
from stint.engine.plan import Plan
from stint.providers.changes import changes
from stint.sessions.observed import Presence

KIND = "ModelProvider"
SHARED = "Shared"
CREDENTIAL_FOUND = "CredentialFound"
SECRET_MISSING = "SecretMissing"  # noqa: S105
SECRET_KEY_MISSING = "SecretKeyMissing"  # noqa: S105
INVALID_SPEC = "InvalidSpec"


@dataclass(frozen=True, slots=True)
class Observed:
    """A provider, and whether its Secret is in its own namespace."""

    now: datetime
    namespace: str
    generation: int
    status: dict[str, Any]
    spec: ProviderSpec | None
    invalid: str
    shared: bool
    """In the system namespace: every namespace brings its own Secret."""
    presence: Presence
    recheck_seconds: float
    circuits: tuple[dict[str, Any], ...] = ()
    windows: tuple[dict[str, Any], ...] = ()
    next_moment: datetime | None = None
    """When time alone may change circuits, windows, or whose turn it is."""


def plan(seen: Observed) -> Plan:
    """Conditions, circuits and windows now, an Event for each change, and another look at the Secret in a while."""
    conditions = merge(seen.status.get("conditions") or (), _conditions(seen), seen.generation, seen.now)
    again = None if seen.spec is None else seen.now + timedelta(seconds=seen.recheck_seconds)
    traffic = {"circuits": list(seen.circuits), "windows": list(seen.windows)}
    status = {**seen.status, "observedGeneration": seen.generation, "conditions": conditions, **traffic}
    later = min((moment for moment in (again, seen.next_moment) if moment is not None), default=None)
    return Plan(status={name: value for name, value in status.items() if value != []}, events=tuple(changes(seen.status, status)), look_again=later)


def _conditions(seen: Observed) -> Iterator[Condition]:
    reason, message = _verdict(seen)
    ready = reason in (SHARED, CREDENTIAL_FOUND)
    yield Condition("Ready", TRUE if ready else FALSE, reason, message)
    yield Condition("Reconciling", FALSE, reason)
    yield Condition("Stalled", FALSE if ready else TRUE, reason, "" if ready else message)


def _verdict(seen: Observed) -> tuple[str, str]:
    if seen.spec is None:
        return INVALID_SPEC, seen.invalid
    secret = seen.spec.credential.secret_ref
    if seen.presence == "there":
        return CREDENTIAL_FOUND, f"key {secret.key} of Secret {secret.name} is there"
    if seen.shared:
        return SHARED, f"serves all namespaces; sessions use Secret {secret.name} (key {secret.key}) of their own namespace"
    if seen.presence == "object missing":
        return SECRET_MISSING, f"Secret {secret.name} is missing in namespace {seen.namespace}: create it with key {secret.key}"
    return SECRET_KEY_MISSING, f"Secret {secret.name} in namespace {seen.namespace} has no key {secret.key}: add it"
