"""A session as budgets see it."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from stint.budgets.amounts import Amounts, amounts, read_amounts
from stint.budgets.facts import Running, Session, settled_attempts
from stint.budgets.line import Waiter
from stint.budgets.selection import Subject
from stint.engine.conditions import moment
from stint.sessions.observed import Observed
from stint.sessions.pod_facts import PodFacts
from stint.sessions.usage import known, remaining, used


def session_of(seen: Observed, namespace_labels: Mapping[str, str]) -> Session:
    """All that the ledger has to know of it. Who created it is not known as long as nobody vouches for it."""
    resolved = seen.resolved
    subject = Subject(
        namespace=seen.namespace,
        namespace_labels=namespace_labels,
        labels=seen.metadata.get("labels") or {},
        service_account=(resolved.pod_template.service_account_name if resolved else None) or "default",
        provider=resolved.provider if resolved else "",
        model=(resolved.agent.model if resolved else None) or (seen.provider.spec.default_model if seen.provider else None) or "",
    )
    return Session(seen.uid, subject, settled_attempts(seen.status), _running(seen.pod) if seen.pod else None)


def waiter_of(seen: Observed) -> Waiter:
    """Its next attempt, which would like to start."""
    assert seen.spec is not None
    created = moment(seen.metadata.get("creationTimestamp")) or seen.now
    return Waiter(seen.uid, seen.settled + 1, seen.namespace, created, seen.spec.priority, _left(seen))


def _left(seen: Observed) -> Amounts:
    """What the limits leave that the session, or its profile, names itself."""
    assert seen.resolved is not None
    cost, tokens = remaining(seen.resolved, used(seen.status) if seen.resolved.ephemeral else known(seen.status))
    return amounts(cost=str(cost) if seen.resolved.names_cost else None, tokens=tokens)


def _running(pod: PodFacts) -> Running | None:
    request = read_amounts(orjson.loads(pod.reserved)) if pod.reserved else Amounts()
    return Running(pod.attempt, pod.created, request) if pod.created is not None else None
