"""What a session says to its provider's circuits and windows, and what its finished attempts say about the provider. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from stint.engine.conditions import moment
from stint.engine.keys import Key
from stint.providers.circuit import GOOD, Outcome
from stint.providers.passage import Passage
from stint.providers.scope import Credential
from stint.providers.window import Window
from stint.sessions.ending import SUCCEEDED
from stint.sessions.failures import policy
from stint.sessions.names import KIND
from stint.sessions.observed import Observed
from stint.sessions.pod_facts import AGENT, GATEWAY, PodFacts
from stint.sessions.reports import Report, read_report, read_result

PROVIDER_KIND = "ModelProvider"
TOLD_BY_THE_CLI = "RateLimit"


def passage_of(seen: Observed, attempt: int) -> Passage | None:
    """This attempt of the session, as its provider sees it; None as long as the provider is not known."""
    if seen.provider is None or seen.resolved is None or seen.spec is None:
        return None
    provider = seen.provider
    return Passage(
        provider=Key(PROVIDER_KIND, provider.namespace, provider.name),
        key=Key(KIND, seen.namespace, seen.name),
        uid=seen.uid,
        attempt=attempt,
        model=seen.resolved.agent.model or provider.spec.default_model,
        credential=Credential(seen.namespace, provider.spec.credential.secret_ref.name),
        priority=seen.spec.priority,
        created=moment(seen.metadata.get("creationTimestamp")) or seen.now,
    )


def report_of(pod: PodFacts) -> Report | None:
    """The last words of its gateway."""
    gateway = pod.container(GATEWAY)
    return read_report(gateway.message) if gateway else None


def heard_of_provider(report: Report | None, now: datetime) -> str:
    """What a report says about the provider: `GOOD`, a class of errors that counts, or nothing. A used-up window that names its reset is no failure:
    it is waited for."""
    if report is None:
        return ""
    if policy(report.last_answer).counts != "Nothing":
        waits = report.last_answer == "RateLimited" and any(window.rejects(now) for window in report.windows)
        return "" if waits else report.last_answer
    return GOOD if report.has_answered else ""


def windows_of(report: Report | None) -> tuple[Window, ...]:
    return report.windows if report else ()


def windows_of_pod(pod: PodFacts, report: Report | None, now: datetime) -> tuple[Window, ...]:
    """What the gateway has heard of windows; if it heard a 429 without one, what the CLI's `rate_limit_event` said, as the runner handed it on."""
    agent, found = pod.container(AGENT), windows_of(report)
    if report is None or agent is None or report.last_status != 429 or any(window.rejects(now) for window in found):
        return found
    result = read_result(agent.message)
    if result is None or result.error_class != "RateLimited" or result.resets_at is None:
        return found
    return (*found, Window(TOLD_BY_THE_CLI, "Rejected", None, result.resets_at, ended_at(pod, now)))


def ended_at(pod: PodFacts, now: datetime) -> datetime:
    """When the agent had its last word."""
    agent = pod.container(AGENT)
    return min(now, agent.finished) if agent is not None and agent.finished is not None else now


def told_by_history(seen: Observed) -> Iterator[tuple[Passage, Outcome]]:
    """What the settled attempts of a session have said about its provider: failures, and successes."""
    for entry in seen.status.get("history") or ():
        kind = entry.get("providerError") or (GOOD if entry.get("outcome") == SUCCEEDED else "")
        when, passage = moment(entry.get("end")), passage_of(seen, entry["attempt"])
        if kind and when is not None and passage is not None:
            yield passage, Outcome(kind, seen.uid, entry["attempt"], seen.namespace, when)
