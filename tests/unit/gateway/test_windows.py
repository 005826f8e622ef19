"""Rate-limit windows in the headers of an answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict

from stint.gateway.windows import Window, windows

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SEEN, LATER = "2026-11-21T12:00:00Z", "2026-11-21T15:00:00Z"
SECONDS = str(int(datetime(2026, 11, 21, 15, tzinfo=UTC).timestamp()))
U = "anthropic-ratelimit-unified-"
M = "anthropic-ratelimit-"



def unified(window: str, status: str, utilization: str = "0.92", reset: str = SECONDS) -> dict[str, str]:
    return {f"{U}{window}-status": status, f"{U}{window}-utilization": utilization, f"{U}{window}-reset": reset}


def told(headers: dict[str, str], status: int = 200) -> list[Window]:
    return windows(CIMultiDict(headers), status, NOW)


@pytest.mark.parametrize(
    ("name", "window"),
    [("5h", "FiveHour"), ("7d", "SevenDay"), ("7d_opus", "SevenDayOpus"), ("30d", "30d"), ("1m_fast_lane", "1mFastLane")],
)
def test_every_window_of_a_subscription_is_read(name: str, window: str) -> None:
    assert told(unified(name, "allowed_warning")) == [Window(window, "Warning", 92, LATER, SEEN)]


def test_a_window_that_is_used_up_is_rejected_until_it_is_reset() -> None:
    assert told(unified("5h", "rejected", "1"), 429) == [Window("FiveHour", "Rejected", 100, LATER, SEEN)]


def test_an_answer_that_was_given_rejects_nothing() -> None:
    assert told(unified("5h", "rejected", "1.2"), 200) == [Window("FiveHour", "Warning", 120, LATER, SEEN)]


def test_a_rejected_window_without_a_reset_holds_nobody() -> None:
    assert told(unified("5h", "rejected", "1", "soon"), 429) == []


def test_what_else_stands_among_the_headers_is_no_window() -> None:
    headers = {
        f"{U}status": "allowed", f"{U}overage-status": "rejected", f"{U}representative-claim": "five_hour", f"{U}fallback-status": "allowed",
        f"{U}5h-status": "no such word",
    }  # fmt: skip
    assert told(headers) == []


def by_the_minute(remaining: str, limit: str = "4000", reset: str = LATER) -> dict[str, str]:
    return {f"{M}requests-limit": limit, f"{M}requests-remaining": remaining, f"{M}requests-reset": reset}


def test_limits_of_a_key_are_told_by_how_much_is_left() -> None:
    assert told(by_the_minute("1000")) == [Window("Requests", "Allowed", 75, LATER, SEEN)]
    assert told(by_the_minute("0"), 429) == [Window("Requests", "Rejected", 100, LATER, SEEN)]
    assert told(by_the_minute("0"), 200) == [Window("Requests", "Allowed", 100, LATER, SEEN)]
    assert told({**by_the_minute("5", "10"), f"{M}input-tokens-limit": "2", f"{M}input-tokens-remaining": "1"}, 529) == [
        Window("Requests", "Allowed", 50, LATER, SEEN), Window("InputTokens", "Allowed", 50, None, SEEN),
    ]  # fmt: skip


@pytest.mark.parametrize("limit", ["0", "nan", "inf", "-4", "many", "1e99"])
def test_figures_that_are_none_are_left_out(limit: str) -> None:
    assert told(by_the_minute("1", limit)) == []


def test_a_refusal_that_names_only_a_moment_counts_until_then() -> None:
    assert told({"retry-after": "30"}, 429) == [Window("RetryAfter", "Rejected", None, "2026-11-21T12:00:30Z", SEEN)]
    assert told({f"{U}status": "rejected", f"{U}reset": SECONDS, "retry-after": "30"}, 429) == [Window("Unified", "Rejected", None, LATER, SEEN)]
    assert told({f"{U}status": "rejected", "retry-after": "30"}, 429)[0].name == "RetryAfter"
    assert told({"retry-after": "30"}, 529) == [], "an overload is no window of this credential"
    assert told({"retry-after": "30", **unified("5h", "rejected", "1")}, 429)[-1].name == "FiveHour"
    assert told({}, 429) == []


def test_no_more_than_eight_are_kept() -> None:
    many = {name: value for number in range(20) for name, value in unified(f"{number}h", "allowed").items()}
    assert len(told(many)) == 8


@pytest.mark.parametrize("reset", ["9" * 30, "2026-11-21T15:00:00", "", "1e400"])
def test_a_reset_that_is_no_moment_is_unknown(reset: str) -> None:
    assert told(unified("5h", "allowed", reset=reset)) == [Window("FiveHour", "Allowed", 92, None, SEEN)]
