"""What is counted and logged of a plan, once the API server has confirmed it."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

import pytest

from simulation import pod_status
from simulation.metrics_kit import Grown
from simulation.pod_status import Json, stamp
from stint.kube.resources import CLAIMS, PODS
from stint.sessions.news import SessionNews
from stint.sessions.observed import Observed
from stint.sessions.plan import plan
from unit.sessions.builders import (
    NOW,
    Gone,
    ago,
    attempt,
    condition,
    ended_pod,
    finished_status,
    observed,
    provider,
    running_pod,
    running_status,
    session,
    status,
)
from unit.sessions.kit import status_of

DONE = pod_status.result(text="done")
OVERLOADED = pod_status.result("Failed", error={"class": "Overloaded", "message": "secret words of the agent"})
PRICED = {"claude-sonnet-5-5": {**pod_status.counts("0.25"), "inputTokens": 1000, "outputTokens": 20, "cacheReadTokens": 7, "cacheWriteTokens": 3}}
Lines = list[dict[str, Any]]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Any:
    """The lines of the log, by their fields."""
    caplog.set_level(logging.DEBUG, "stint.sessions.news")
    fields = ("namespace", "session", "attempt", "decision", "reason")
    return lambda: [tuple(record.__dict__[field] for field in fields) for record in caplog.records]


def carry_out(seen: Observed) -> Json:
    """What the plan says has come to pass."""
    written = status_of(plan(seen))
    SessionNews(seen).written(written)
    return written


def report(models: Json = PRICED, **more: Any) -> str:
    """A gateway's report that says what each model used."""
    total = {name: sum(each[name] for each in models.values()) for name in pod_status.counts() if name != "cost"}
    cost = str(sum(Decimal(each["cost"]) for each in models.values()))
    return pod_status.report(usage={**total, "cost": cost, "estimated": False, "byModel": models}, **more)


def test_a_session_that_ends_is_counted_with_its_attempt_its_duration_and_its_usage(told: Any) -> None:
    grown = Grown()
    carry_out(observed(session(status=running_status(1)), pods=[ended_pod(DONE, report(), ran=100)]))
    assert grown.all("stint_sessions_finished_total") == {("Succeeded", "Completed"): 1}
    assert grown.all("stint_attempts_total") == {("Succeeded", "Completed"): 1}
    assert grown("stint_session_duration_seconds_sum", outcome="Succeeded") == 100
    model = {"provider": "team-a/default", "model": "claude-sonnet-5-5"}
    tokens = {kind: grown("stint_tokens_total", kind=kind, **model) for kind in ("input", "output", "cache_read", "cache_write")}
    assert tokens == {"input": 1000, "output": 20, "cache_read": 7, "cache_write": 3}
    assert grown.all("stint_cost_usd_total") == {("claude-sonnet-5-5", "team-a/default"): 0.25}
    assert told() == [("team-a", "fix-test", 1, "finish", "Completed")]


def test_an_attempt_that_is_followed_by_another_does_not_finish_the_session(told: Any) -> None:
    grown = Grown()
    carry_out(observed(session(status=running_status(1)), pods=[ended_pod(OVERLOADED, report())]))
    assert grown.all("stint_attempts_total") == {("Failed", "Overloaded"): 1}
    assert grown.all("stint_sessions_finished_total") == {}
    assert told() == [("team-a", "fix-test", 1, "retry", "Overloaded")]


def test_a_session_that_is_suspended_is_settled_and_not_finished(told: Any) -> None:
    seen = observed(session({"suspend": True}, status=running_status(1)), pods=[Gone(running_pod(deleting=ago(-20)))])
    carry_out(seen)
    assert told() == [("team-a", "fix-test", 1, "settle", "Suspended")]


def test_a_session_that_fails_before_it_starts_is_finished_too(told: Any) -> None:
    grown = Grown()
    carry_out(observed(session({"cancel": True})))
    assert grown.all("stint_sessions_finished_total") == {("Failed", "Cancelled"): 1}
    assert grown.all("stint_attempts_total") == {}
    assert told() == [("team-a", "fix-test", 0, "finish", "Cancelled")]


def test_what_was_finished_before_is_not_counted_again() -> None:
    grown = Grown()
    seen = observed(session({"ttlSecondsAfterFinished": 600}, status=finished_status(), generation=2))
    carry_out(seen)
    assert grown.all("stint_sessions_finished_total") == grown.all("stint_attempts_total") == grown.all("stint_cost_usd_total") == {}


def test_a_session_that_is_run_once_more_is_counted_once_more() -> None:
    grown = Grown()
    again = session({"retryRequest": stamp(NOW)}, status=finished_status())
    carry_out(observed(again, pods=[ended_pod(DONE, report(), 2, ran=40)]))
    assert grown.all("stint_sessions_finished_total") == {("Succeeded", "Completed"): 1}
    assert grown("stint_session_duration_seconds_sum", outcome="Succeeded") == 40


def test_the_start_is_measured_from_the_creation_to_pod_and_agent(told: Any) -> None:
    grown = Grown()
    seen = observed(session(creationTimestamp=stamp(ago(90))))
    SessionNews(seen).created(CLAIMS, {})
    SessionNews(seen).created(PODS, {})
    assert grown("stint_session_start_seconds_sum", stage="pod") == 90
    assert told() == [("team-a", "fix-test", 1, "start", "")]
    running = observed(session(creationTimestamp=stamp(ago(90))), pods=[running_pod(since=30)])
    carry_out(running)
    assert grown("stint_session_start_seconds_sum", stage="running") == 60
    assert grown("stint_session_start_seconds_count", stage="running") == 1


def test_only_the_first_attempt_is_a_start() -> None:
    grown = Grown()
    seen = observed(session(status=status(history=[attempt(1, "Disrupted", "Evicted")])))
    SessionNews(seen).created(PODS, {})
    carry_out(observed(session(status=running_status(2, history=[attempt(1, "Disrupted", "Evicted")])), pods=[ended_pod(DONE, report(), 2)]))
    assert grown.all("stint_session_start_seconds_count") == {}


def test_a_session_is_told_once_what_holds_it(told: Any) -> None:
    first = carry_out(observed(no_provider=True))
    assert told() == [("team-a", "fix-test", 0, "hold", "ProviderNotFound")]
    SessionNews(observed(session(status=first), no_provider=True)).written({**first, "observedGeneration": 2})
    assert len(told()) == 1


def test_a_pod_that_does_not_start_is_told_with_kuberneteses_own_reason(told: Any) -> None:
    waiting = status(
        phase="Pending", waitingFor={"kind": "Pod", "name": "x-1", "reason": "ImagePullBackOff"}, conditions=[condition("Ready", "False")]
    )
    SessionNews(observed()).written(waiting)
    assert told() == [("team-a", "fix-test", 0, "hold", "ImagePullBackOff")]


def test_no_line_says_more_than_names_and_reasons(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen = observed(session({"prompt": "secret words of the user"}, status=running_status(1)), pods=[ended_pod(OVERLOADED, report())])
    carry_out(seen)
    assert caplog.records
    assert "secret words" not in str([record.__dict__ for record in caplog.records])


def test_a_model_without_a_price_has_no_name_of_its_own() -> None:
    grown = Grown()
    models = {"made-up-by-the-agent": pod_status.counts("1"), "claude-sonnet-5-5-20261001": pod_status.counts("2"), "ours": pod_status.counts("4")}
    price = {"input": "1", "output": "1", "cacheRead": "1", "cacheWrite5m": "1", "cacheWrite1h": "1"}
    seen = observed(
        session(status=running_status(1)),
        pods=[ended_pod(DONE, report(models))],
        provider=provider({"prices": [{"model": "ours", **price}]}, namespace="stint-system"),
    )
    carry_out(seen)
    costs = grown.all("stint_cost_usd_total")
    assert costs == {(name, "stint-system/default"): cost for name, cost in (("other", 1), ("claude-sonnet-5-5", 2), ("ours", 4))}


def test_usage_is_counted_also_when_the_provider_is_gone() -> None:
    grown = Grown()
    carry_out(observed(session(status=running_status(1)), pods=[ended_pod(DONE, report())], no_provider=True))
    assert grown.all("stint_cost_usd_total") == {("claude-sonnet-5-5", "other"): 0.25}


def test_a_guess_is_no_usage_until_the_journal_tells_the_truth() -> None:
    grown = Grown()
    guessed = carry_out(observed(session(status=running_status(1)), pods=[Gone(running_pod())]))
    assert guessed["history"][-1]["estimated"]
    assert grown("stint_attempts_estimated_total") == 1
    assert grown.all("stint_cost_usd_total") == {}
    found = report(previous=[{"pod": "pod-1", "attempt": 1, "usage": pod_status.counts("0.5")}])
    carry_out(observed(session(status=guessed), pods=[ended_pod(DONE, found, 2)]))
    assert grown.all("stint_cost_usd_total") == {("claude-sonnet-5-5", "team-a/default"): 0.25, ("other", "team-a/default"): 0.5}
