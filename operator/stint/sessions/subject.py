"""A session as budgets see it."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from stint.api.provider import ProviderSpec
from stint.budgets.amounts import Amounts, amounts, read_amounts
from stint.budgets.facts import Running, Session, settled_attempts
from stint.budgets.line import Waiter
from stint.budgets.selection import UNKNOWN, Subject
from stint.engine.conditions import moment
from stint.identity import Creator, annotations_of, creator_of
from stint.sessions.observed import Observed
from stint.sessions.pod_facts import PodFacts
from stint.sessions.reports import Usage
from stint.sessions.resolve import Resolved
from stint.sessions.usage import known, remaining, used


def session_of(seen: Observed, namespace_labels: Mapping[str, str]) -> Session:
    """All that the ledger has to know of it. Who created it counts only where nobody can forge that."""
    creator = creator_of(annotations_of(seen.item)) if seen.settings.creators_known else None
    provider = seen.provider.spec if seen.provider else None
    subject = subject_of(seen.namespace, namespace_labels, seen.metadata.get("labels") or {}, creator, seen.resolved, provider)
    return Session(seen.uid, subject, settled_attempts(seen.status), _running(seen.pod) if seen.pod else None)


def subject_of(
    namespace: str,
    namespace_labels: Mapping[str, str],
    labels: Mapping[str, str],
    creator: Creator | None,
    resolved: Resolved | None,
    provider: ProviderSpec | None,
) -> Subject:
    """What budgets look at: the same for a session that runs and for one that is about to be created."""
    return Subject(
        namespace=namespace,
        namespace_labels=namespace_labels,
        labels=labels,
        user=creator.user if creator else UNKNOWN,
        groups=creator.groups if creator else (),
        service_account=(resolved.pod_template.service_account_name if resolved else None) or "default",
        provider=resolved.provider if resolved else "",
        model=(resolved.agent.model if resolved else None) or (provider.default_model if provider else None) or "",
    )


def waiter_of(seen: Observed) -> Waiter:
    """Its next attempt, which would like to start."""
    assert seen.spec is not None
    created = moment(seen.metadata.get("creationTimestamp")) or seen.now
    return Waiter(seen.uid, seen.settled + 1, seen.namespace, created, seen.spec.priority, _left(seen))


def _left(seen: Observed) -> Amounts:
    """What the limits leave that the session, or its profile, names itself."""
    assert seen.resolved is not None
    return left_of(seen.resolved, used(seen.status) if seen.resolved.ephemeral else known(seen.status))


def left_of(resolved: Resolved, usage: Usage) -> Amounts:
    """What the limits leave after this usage."""
    cost, tokens = remaining(resolved, usage)
    return amounts(cost=str(cost) if resolved.names_cost else None, tokens=tokens)


def _running(pod: PodFacts) -> Running | None:
    request = read_amounts(orjson.loads(pod.reserved)) if pod.reserved else Amounts()
    return Running(pod.attempt, pod.created, request) if pod.created is not None else None
