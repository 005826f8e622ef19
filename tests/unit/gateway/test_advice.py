"""When the model's API wants to be asked again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stint.gateway.advice import advised

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30", "2026-11-21T12:00:30Z"),
        (" 0.5 ", "2026-11-21T12:00:00Z"),
        ("Sat, 21 Nov 2026 13:00:00 GMT", "2026-11-21T13:00:00Z"),
        ("Sat, 21 Nov 2026 13:00:00 -0000", "2026-11-21T13:00:00Z"),
        ("Sat, 21 Nov 2026 11:00:00 GMT", None),
        ("0", None),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("9" * 400, None),
        ("99999999", None),
    ],
)
def test_a_moment_is_told_in_seconds_or_as_a_date_and_what_is_no_moment_is_left_out(text: str, moment: str | None) -> None:
    assert advised({"retry-after": text}, NOW) == moment


def test_most_answers_say_nothing_of_it() -> None:
    assert advised({}, NOW) is None
