"""Which failures are worth another attempt, and when it comes."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from stint.sessions.ending import Ending
from stint.sessions.failures import POLICIES, policy
from stint.sessions.reports import ERROR_CLASSES
from stint.sessions.resolve import Resolved
from stint.sessions.retry import AFTER_RESET, LONGEST_WINDOW, retried, retry_at
from unit.sessions.builders import NOW, UID, ago, ahead, observed

CURABLE = {
    "RateLimited", "Overloaded", "ServerError", "ProviderUnreachable", "AgentCrashed", "ToolsUnavailable", "CloneFailed", "ContinueFailed", "OutputInvalid",
}  # fmt: skip


def terms(initial: float = 10, factor: int = 2, longest: float = 600) -> Resolved:
    found = observed().resolved
    assert found is not None
    return replace(found, backoff_initial=initial, backoff_factor=factor, backoff_max=longest)


def delay(
    failures: int, resets_at: datetime | None = None, attempt: int = 1, uid: str = UID, reason: str = "ServerError", advice: datetime | None = None, **backoff: Any
) -> float:
    """Seconds until the next attempt."""
    when = retry_at(Ending("Failed", reason, resets_at=resets_at, retry_after=advice), failures, terms(**backoff), uid, attempt, NOW)
    return (when - NOW).total_seconds()


@pytest.mark.parametrize("reason", sorted(ERROR_CLASSES))
def test_only_what_time_can_cure_is_tried_again(reason: str) -> None:
    assert retried(Ending("Failed", reason)) == (reason in CURABLE)


def test_a_pod_that_did_not_start_is_tried_again() -> None:
    assert retried(Ending("StartFailed", "StartTimeout"))


def test_what_counts_for_circuits_is_never_a_users_mistake() -> None:
    assert {name: row.counts for name, row in POLICIES.items() if row.counts != "Nothing"} == {
        "RateLimited": "Credential", "Overloaded": "Provider", "ServerError": "Provider", "ProviderUnreachable": "Provider", "AuthFailed": "Credential",
    }  # fmt: skip
    assert policy("Evicted").counts == "Nothing"


@pytest.mark.parametrize(("failures", "least"), [(1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (20, 600)])
def test_the_wait_doubles_up_to_its_maximum_with_a_fifth_of_jitter(failures: int, least: float) -> None:
    assert least <= delay(failures) < least * 1.2


def test_the_sessions_own_backoff_counts() -> None:
    assert 5 <= delay(1, initial=5, factor=3, longest=30) < 6
    assert 15 <= delay(2, initial=5, factor=3, longest=30) < 18
    assert 30 <= delay(3, initial=5, factor=3, longest=30) < 36


def test_the_same_attempt_of_the_same_session_always_gets_the_same_answer() -> None:
    assert delay(1) == delay(1)
    assert delay(1, attempt=1) != delay(1, attempt=2)


def test_sessions_that_failed_together_do_not_come_back_together() -> None:
    delays = sorted(delay(1, uid=str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number)))) for number in range(1000))
    assert len(set(delays)) == 1000
    assert delays[100] < 10.4
    assert delays[900] > 11.6


def test_no_session_comes_back_before_its_window_is_reset() -> None:
    assert 3600 <= delay(1, ahead(3600)) < 3600 + AFTER_RESET


def test_a_reset_that_comes_before_the_backoff_ends_shortens_nothing() -> None:
    assert delay(6, ahead(1)) == delay(6)


def test_a_reset_that_has_passed_is_not_waited_for() -> None:
    assert delay(1, ago(3600)) == delay(1)


@pytest.mark.parametrize("reason", ["RateLimited", "Overloaded"])
def test_an_api_that_has_too_much_to_do_is_given_three_times_as_long(reason: str) -> None:
    assert 30 <= delay(1, reason=reason) < 36
    assert 600 <= delay(6, reason=reason) < 720


def test_nobody_comes_back_before_the_moment_that_the_api_has_named() -> None:
    assert 300 <= delay(1, advice=ahead(300)) < 302.1
    assert delay(6, advice=ahead(1)) == delay(6)
    assert delay(1, advice=ahead(86400)) < 3700
    assert delay(1, advice=ahead(300), reason="AgentCrashed") == delay(1), "it was not the API that failed"


def test_a_window_that_no_provider_has_is_not_believed() -> None:
    assert delay(1, ahead(86400 * 365)) <= (LONGEST_WINDOW + timedelta(seconds=AFTER_RESET)).total_seconds()
