"""What the end of an attempt does to the session's status.

::

    Succeeded ─────────────────────────────────────▶ finished
    Suspended ──▶ held until spec.suspend is false ─▶ next attempt resumes the conversation
    Cancelled ─────────────────────────────────────▶ finished (failed)
    Disrupted ──▶ next attempt at once (20 times at most)
    Failed    ──▶ BudgetReached: held until the limit is raised
              ──▶ the provider failed, and its circuit is open: held until it is tried again, no retry used
              ──▶ a class worth retrying, retry.limit not reached: next attempt after the backoff
              ──▶ else finished (failed)
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from stint.api.status import HISTORY, RESULT_TEXT
from stint.engine.conditions import moment, timestamp
from stint.sessions import reasons
from stint.sessions.ending import CANCELLED, DISRUPTED, FAILED, START_FAILED, SUCCEEDED, SUSPENDED, Ending, Remains, ending
from stint.sessions.failures import policy
from stint.sessions.names import conversation
from stint.sessions.observed import Observed
from stint.sessions.pod_facts import AGENT, PodFacts
from stint.sessions.reports import Usage
from stint.sessions.retry import MOST_DISRUPTIONS, retried, retry_at
from stint.sessions.usage import attempt_usage, charge, correct, write_counts


def settle(remains: Remains) -> tuple[dict[str, Any], Ending]:
    """The status after the attempt of this pod, without conditions, and how the attempt ended."""
    seen, pod = remains.seen, remains.pod
    verdict = ending(remains)
    status = begun(seen)
    correct(status, remains.report)
    usage = Usage() if remains.never_served else attempt_usage(remains.report, pod, status, seen.terms)
    charge(status, usage, remains.report, remains.result.turns if remains.result else 0)
    start, end = _span(pod, seen.now)
    entry = {
        "attempt": pod.attempt,
        "podName": pod.name,
        "podUID": pod.uid,
        "start": timestamp(pod.created or start),
        "end": timestamp(end),
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "exitCode": remains.exit_code,
        "providerError": remains.seen.heard.error or None,
        **write_counts(usage),
        "estimated": usage.estimated,
    }
    status["history"] = [*(status.get("history") or ()), {name: value for name, value in entry.items() if value is not None}][-HISTORY:]
    status["attempt"] = pod.attempt
    status["activeSeconds"] = status.get("activeSeconds", 0) + max(0, round((end - start).total_seconds()))
    status["startTime"] = status.get("startTime") or timestamp(start)
    status["sessionID"] = conversation(seen.uid)
    status["podName"] = pod.name
    status.pop("podUID", None)
    status.pop("reserved", None)
    status["result"] = _result(remains, verdict)
    _next_step(status, seen, verdict)
    return status, verdict


def begun(seen: Observed) -> dict[str, Any]:
    """The status to go on from: as it is, or made ready for another run when one was asked for."""
    status = {**seen.status, "observedGeneration": seen.generation}
    status.pop("waitingFor", None)
    if (moment(status.get("nextRetryTime")) or seen.now) <= seen.now:
        status.pop("nextRetryTime", None)
    wanted = seen.retry_request
    if wanted is not None:
        status["observedRetryRequest"] = timestamp(wanted)
    if seen.begins_again:
        for name in ("completionTime", "result", "expired", "nextRetryTime"):
            status.pop(name, None)
        status.update(failures=0, disruptions=0, activeSeconds=0)
    return status


def _next_step(status: dict[str, Any], seen: Observed, verdict: Ending) -> None:
    if verdict.outcome == DISRUPTED:
        status["disruptions"] = status.get("disruptions", 0) + 1
        if status["disruptions"] > MOST_DISRUPTIONS:
            status["result"] = _error(reasons.TOO_MANY_DISRUPTIONS, f"the cluster took its pod away {status['disruptions']} times: {verdict.message}")
            finish(status, seen.now)
    elif verdict.outcome in (FAILED, START_FAILED):
        if verdict.reason == reasons.BUDGET_REACHED:
            return
        if _waits_for_provider(seen, verdict):  # when it goes on, the line before the provider says
            return
        failures = status["failures"] = status.get("failures", 0) + (0 if verdict.resets_at else 1)  # a window that resets uses up no retry
        terms = seen.terms
        if terms is not None and retried(verdict) and failures <= terms.retry_limit:
            when = retry_at(verdict, max(1, failures), terms, seen.uid, status["attempt"], seen.now)
            status["nextRetryTime"] = timestamp(when)
        else:
            finish(status, seen.now)
    elif verdict.outcome in (SUCCEEDED, CANCELLED):
        finish(status, seen.now)
    else:
        assert verdict.outcome == SUSPENDED, verdict.outcome


def _waits_for_provider(seen: Observed, verdict: Ending) -> bool:
    """The provider has failed, or its window is used up, and it lets nobody start: its fault uses up no retry.

    What another attempt cannot cure ends the session nevertheless, but not the one that was to try it for all.
    """
    if seen.blocked is None:
        return False
    if verdict.resets_at is not None:
        return retried(verdict)
    return bool(seen.heard.error) and (retried(verdict) or (seen.heard.probe and policy(verdict.reason).counts != "Nothing"))


def finish(status: dict[str, Any], now: datetime) -> None:
    """This is the end (in place)."""
    status.pop("nextRetryTime", None)
    status["completionTime"] = timestamp(now)


def _span(pod: PodFacts, now: datetime) -> tuple[datetime, datetime]:
    """When the agent ran."""
    agent = pod.container(AGENT)
    if agent is not None and agent.started is not None:
        return agent.started, agent.finished or now
    if agent is not None and agent.running_since is not None:
        return agent.running_since, max(agent.running_since, min(now, pod.deleting_since or now))
    return now, now


def _result(remains: Remains, verdict: Ending) -> dict[str, Any] | None:
    result = remains.result
    if verdict.outcome == SUCCEEDED and result is not None:
        text = result.text[:RESULT_TEXT]
        return {
            "text": text,
            **({"structured": result.structured} if remains.schema is not None else {}),
            "truncated": len(text) < len(result.text) or (result.truncated and remains.schema is None),
        }
    if verdict.outcome not in (FAILED, START_FAILED, CANCELLED):
        return dict(remains.seen.status["result"]) if remains.seen.status.get("result") else None
    found = _error(verdict.reason, verdict.message)
    if verdict.api_status is not None:
        found["error"]["apiStatus"] = verdict.api_status
    if verdict.resets_at is not None:
        found["error"]["resetsAt"] = timestamp(verdict.resets_at)
    return {**({"text": result.text[:RESULT_TEXT]} if result and result.text else {}), **found}


def _error(reason: str, message: str) -> dict[str, Any]:
    return {"error": {"class": reason, "message": message}, "truncated": False}
