"""Conditions as other tools expect them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from stint.engine.conditions import FALSE, MESSAGE_LIMIT, TRUE, Condition, merge, moment, timestamp

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
OLD: list[dict[str, Any]] = [
    {"type": "Ready", "status": "True", "reason": "Usable", "message": "", "observedGeneration": 1, "lastTransitionTime": "2026-11-20T08:00:00Z"}
]


def test_a_new_condition_has_its_transition_now() -> None:
    assert merge([], [Condition("Ready", TRUE, "Usable", "good")], 3, NOON) == [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Usable",
            "message": "good",
            "observedGeneration": 3,
            "lastTransitionTime": "2026-11-21T12:00:00Z",
        }
    ]


def test_the_transition_time_stays_while_only_reason_message_and_generation_change() -> None:
    [merged] = merge(OLD, [Condition("Ready", TRUE, "Different", "words")], 2, NOON)
    assert merged["lastTransitionTime"] == "2026-11-20T08:00:00Z"
    assert (merged["reason"], merged["message"], merged["observedGeneration"]) == ("Different", "words", 2)


def test_the_transition_time_moves_with_the_status() -> None:
    [merged] = merge(OLD, [Condition("Ready", FALSE, "Usable")], 1, NOON)
    assert merged["lastTransitionTime"] == "2026-11-21T12:00:00Z"


def test_a_condition_nobody_speaks_of_any_more_disappears_and_the_order_is_the_new_one() -> None:
    merged = merge(OLD, [Condition("Stalled", FALSE, "A"), Condition("Reconciling", FALSE, "A")], 1, NOON)
    assert [condition["type"] for condition in merged] == ["Stalled", "Reconciling"]


def test_of_a_long_message_the_beginning_stays() -> None:
    [merged] = merge([], [Condition("Ready", FALSE, "Long", "begin" + "x" * 5000)], 1, NOON)
    assert merged["message"].startswith("beginx")
    assert len(merged["message"]) == MESSAGE_LIMIT


def test_times_are_written_in_utc_with_whole_seconds() -> None:
    elsewhere = datetime(2026, 11, 21, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(elsewhere) == "2026-11-21T12:00:00Z"


def test_a_year_has_four_digits_even_the_first() -> None:
    assert timestamp(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize("text", ["2026-11-21T12:00:00Z", "2026-11-21T14:00:00+02:00"])
def test_times_are_read_in_any_zone(text: str) -> None:
    assert moment(text) == NOON


@pytest.mark.parametrize("text", [None, ""])
def test_no_text_is_no_time(text: str | None) -> None:
    assert moment(text) is None
