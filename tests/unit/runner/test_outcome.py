"""What the CLI's events mean. Every stream that was recorded from the real CLI is in the table."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from stint_runner.apierror import classify
from stint_runner.outcome import Ending, Outcome, Seen, conclude, observe
from unit.runner.kit import INIT, INTERRUPTED_RESULT, result

SUCCEEDED = None

RECORDED = {
    "errors/400": "InvalidRequest",
    "errors/401": "AuthFailed",
    "errors/401_authtoken": "AuthFailed",
    "errors/401_invalid_key": "AuthFailed",
    "errors/401_noretry": "AuthFailed",
    "errors/401_oauth_env": "AuthFailed",
    "errors/401_r0": "AuthFailed",
    "errors/403": "AuthFailed",
    "errors/404model": "ModelNotFound",
    "errors/413": "ContextTooLarge",
    "errors/429_billing_noretry": "BillingFailed",
    "errors/429_credit": "BillingFailed",
    "errors/429_default": "RateLimited",
    "errors/429_r0": "RateLimited",
    "errors/429_ra58": SUCCEEDED,
    "errors/429_ra60": SUCCEEDED,
    "errors/429_ra61": "RateLimited",
    "errors/429_ra90_watchdog": "AgentCrashed",
    "errors/429_retryafter20_ok_after1": SUCCEEDED,
    "errors/429_retryafter2_r2": "RateLimited",
    "errors/429_retryafter90_r2": "RateLimited",
    "errors/429_spend": "BillingFailed",
    "errors/429_x-should-retry-false": "RateLimited",
    "errors/500_r0": "ServerError",
    "errors/500_r2": "ServerError",
    "errors/503_noretry": "ServerError",
    "errors/529_default": "Overloaded",
    "errors/529_fallback": "Overloaded",
    "errors/529_noretry": "Overloaded",
    "errors/529_once": SUCCEEDED,
    "errors/529_r0": "Overloaded",
    "errors/529_r2": "Overloaded",
    "errors/529_ra90": "Overloaded",
    "errors/api500_once_haiku_529_default": "Overloaded",
    "errors/apikey_200_headers": SUCCEEDED,
    "errors/apikey_429_unified": "RateLimited",
    "errors/bad_model": SUCCEEDED,
    "errors/drop_midstream": SUCCEEDED,
    "errors/hang_headers_apitimeout": "ProviderUnreachable",
    "errors/maxretries20": SUCCEEDED,
    "errors/oauth_200_allowed": SUCCEEDED,
    "errors/oauth_200_warning": SUCCEEDED,
    "errors/oauth_429_unified": "RateLimited",
    "errors/oauth_529_default": "Overloaded",
    "errors/proxy_503_retryafter": "ServerError",
    "errors/refused": "ProviderUnreachable",
    "errors/refused_r1": "ProviderUnreachable",
    "errors/sse_overloaded": SUCCEEDED,
    "errors/stall_apitimeout": SUCCEEDED,
    "errors/watchdog_529x5": SUCCEEDED,
    "bidi_eof_midturn": SUCCEEDED,
    "bidi_graceful_shutdown": "AgentCrashed",
    "bidi_interrupt": SUCCEEDED,
    "bidi_permission_and_bash_interrupt": SUCCEEDED,
    "bidi_resume_interrupted_SIGKILL": SUCCEEDED,
    "bidi_resume_interrupted_SIGTERM": SUCCEEDED,
    "denied_default": SUCCEEDED,
    "gateway_refused": "BudgetReached",
    "gateway_unreachable": "ProviderUnreachable",
    "json_schema": SUCCEEDED,
    "json_schema_fail": "OutputInvalid",
    "max_budget": "BudgetReached",
    "max_turns": "MaxTurns",
    "mcp_mixed": SUCCEEDED,
    "prompt_too_long": "ContextTooLarge",
    "simple": SUCCEEDED,
    "simple_partial": SUCCEEDED,
    "subagent": SUCCEEDED,
    "tooluse": SUCCEEDED,
}

_FILE = Path(__file__).parent / "samples/recorded.jsonl"
STREAMS: dict[str, list[dict[str, Any]]] = {
    entry["sample"]: entry["events"] for entry in map(json.loads, _FILE.read_text(encoding="utf-8").splitlines())
}


def fold(events: list[dict[str, Any]]) -> Seen:
    return reduce(observe, events, Seen())


def outcome_of(*events: dict[str, Any], exit_code: int | None = 0, stopped: str | None = None, wants_output: bool = False) -> Outcome:
    return conclude(fold(list(events)), Ending(exit_code, stopped), wants_output=wants_output)


def class_of(outcome: Outcome) -> str | None:
    return outcome.error.kind if outcome.error is not None else None


def test_every_recorded_stream_is_in_the_table() -> None:
    assert set(STREAMS) == set(RECORDED)


@pytest.mark.parametrize(("name", "expected"), RECORDED.items())
def test_a_recorded_stream_has_its_class(name: str, expected: str | None) -> None:
    outcome = outcome_of(*STREAMS[name], exit_code=0 if expected is None else 1, wants_output=name.startswith("json_schema"))

    assert class_of(outcome) == expected
    assert outcome.outcome == ("Succeeded" if expected is None else "Failed")


def test_a_rejected_window_says_when_it_resets() -> None:
    error = outcome_of(*STREAMS["errors/oauth_429_unified"]).error

    assert error is not None
    assert (error.api_status, error.resets_at) == (429, 1795225418)


def test_a_window_that_is_only_nearly_full_resets_nothing() -> None:
    warning = {"type": "rate_limit_event", "rate_limit_info": {"status": "allowed_warning", "resetsAt": 1795225418}}

    assert fold([warning]).rejected_until is None


def test_a_structured_output_is_handed_on() -> None:
    outcome = outcome_of(*STREAMS["json_schema"], wants_output=True)

    assert outcome.structured == {"answer": 42, "why": "because"}


@pytest.mark.parametrize(("stopped", "expected"), [("Interrupted", ("Interrupted", None)), ("Timeout", ("Failed", "Timeout"))])
@pytest.mark.parametrize("events", [[INIT], [INIT, INTERRUPTED_RESULT], [INIT, result(), INIT]])
def test_what_was_stopped_ends_as_the_reason_says(events: list[dict[str, Any]], stopped: str, expected: tuple[str, str | None]) -> None:
    outcome = outcome_of(*events, exit_code=-15, stopped=stopped)

    assert (outcome.outcome, class_of(outcome)) == expected


def test_an_answer_counts_even_when_it_came_after_the_stop() -> None:
    assert outcome_of(INIT, result("done"), stopped="Timeout").outcome == "Succeeded"


def test_a_crash_in_a_later_turn_is_a_crash() -> None:
    outcome = outcome_of(INIT, result("first"), INIT, exit_code=-11)

    assert class_of(outcome) == "AgentCrashed"


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [(-9, "ran out of memory"), (-11, "ended by signal 11"), (3, "exit code 3"), (None, "given up")],
)
def test_a_crash_tells_how_the_process_ended(exit_code: int | None, words: str) -> None:
    error = outcome_of(exit_code=exit_code).error

    assert error is not None
    assert words in error.message


def test_a_failed_request_of_a_subagent_does_not_decide() -> None:
    inner = {"type": "assistant", "is_api_error_message": True, "error": "billing_error", "parent_tool_use_id": "toolu_1"}

    assert fold([INIT, inner]).api_error is None


def test_a_conversation_is_finished_when_nothing_can_follow() -> None:
    busy = {"type": "system", "subtype": "background_tasks_changed", "tasks": [{}]}
    idle = {**busy, "tasks": []}
    answered = [INIT, result()]

    assert fold(answered).finished
    assert not fold([INIT]).finished
    assert not fold([INIT, busy, result()]).finished
    assert not fold([*answered, INIT]).finished
    assert fold([INIT, busy, result(), idle]).finished


@pytest.mark.parametrize(
    ("error_type", "expected"),
    [
        ("overloaded_error", "Overloaded"),
        ("rate_limit_error", "RateLimited"),
        ("api_error", "ServerError"),
        ("authentication_error", "AuthFailed"),
        (None, "ProviderUnreachable"),
    ],
)
def test_an_error_inside_a_stream_has_no_status(error_type: str | None, expected: str) -> None:
    assert classify(status=None, error="unknown", error_type=error_type, reason="api_error", message="") == expected


@pytest.mark.parametrize(
    ("status", "expected"), [(402, "BillingFailed"), (408, "ProviderUnreachable"), (422, "InvalidRequest"), (504, "ServerError")]
)
def test_a_status_without_a_sample(status: int, expected: str) -> None:
    assert classify(status=status, error=None, error_type=None, reason="api_error", message="") == expected


def test_a_provider_that_the_gateway_cannot_reach_is_named_and_not_the_gateway() -> None:
    error = outcome_of(*STREAMS["gateway_unreachable"], exit_code=1).error

    assert error is not None
    assert error.message.startswith("The provider at https://api.example.com cannot be reached: Cannot connect to host")
    assert error.message.endswith("[Name or service not known].")
    assert error.api_status is None, "the provider gave none; 502 is the gateway's own"


def test_the_advice_to_look_at_the_gateway_is_not_passed_on() -> None:
    error = outcome_of(*STREAMS["errors/500_r0"], exit_code=1).error

    assert error is not None
    assert error.message == "API Error: 500 fake 500. This is a server-side issue, usually temporary — try again in a moment."
