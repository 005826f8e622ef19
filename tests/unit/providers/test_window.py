"""Rate-limit windows of credentials."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stint.providers.scope import Credential
from stint.providers.status import read_windows, write_windows
from stint.providers.window import Window, current, differs, merged, rejected_until, urgent_first, warned

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
A, B = Credential("team-a", "anthropic"), Credential("team-b", "anthropic")


def window(status: Any = "Allowed", full: int | None = 10, resets: float | None = 3600, seen: float = 0, name: str = "FiveHour") -> Window:
    return Window(name, status, full, None if resets is None else NOW + timedelta(seconds=resets), NOW + timedelta(seconds=seen))


def test_the_newer_of_two_counts_and_of_the_same_second_the_worse() -> None:
    known = merged({}, A, [window("Warning", seen=5)])
    assert merged(known, A, [window("Allowed", seen=4)]) == known
    assert merged(known, A, [window("Allowed", seen=5)]) == known
    assert merged(known, A, [window("Rejected", seen=5)])[A, "FiveHour"].status == "Rejected"
    assert merged(known, A, [window("Allowed", seen=6)])[A, "FiveHour"].status == "Allowed"


def test_one_teams_window_never_holds_another() -> None:
    known = merged({}, A, [window("Rejected")])
    assert rejected_until(known, A, NOW) == (NOW + timedelta(hours=1), "FiveHour")
    assert rejected_until(known, B, NOW) is None


def test_the_window_that_is_reset_last_holds() -> None:
    known = merged({}, A, [window("Rejected", resets=60), window("Rejected", resets=7200, name="SevenDay"), window("Warning", resets=9999, name="X")])
    assert rejected_until(known, A, NOW) == (NOW + timedelta(hours=2), "SevenDay")


@pytest.mark.parametrize("resets", [None, 0, -5, 86400 * 32])
def test_a_reset_that_is_past_unknown_or_beyond_belief_holds_nobody(resets: float | None) -> None:
    assert rejected_until(merged({}, A, [window("Rejected", resets=resets)]), A, NOW) is None


def test_a_window_that_was_reset_has_room() -> None:
    known = merged({}, A, [window("Rejected", 100, 60), window("Allowed", 40, 60, name="Requests")])
    later = current(known, NOW + timedelta(seconds=60))
    assert (later[A, "FiveHour"].status, later[A, "FiveHour"].utilization, later[A, "FiveHour"].resets_at) == ("Allowed", 0, None)
    assert current(known, NOW) == known


def test_a_warning_lasts_until_the_reset() -> None:
    known = merged({}, A, [window("Warning", resets=60)])
    assert warned(known, A, NOW)
    assert not warned(known, B, NOW)
    assert not warned(known, A, NOW + timedelta(seconds=60))


@pytest.mark.parametrize(
    ("fresh", "worth"),
    [
        (window("Allowed", 10, seen=60), False),
        (window("Allowed", 14), False),
        (window("Allowed", 15), True),
        (window("Allowed", None), True),
        (window("Allowed", 10, resets=9999), False),
        (window("Warning", 10), True),
        (window("Allowed", 10, name="SevenDay"), True),
    ],
    ids=["seen again", "a little fuller", "much fuller", "no figure any more", "reset later", "it warns", "another window"],
)
def test_only_what_matters_is_worth_a_write(fresh: Window, worth: bool) -> None:
    known = merged({}, A, [window()])
    assert differs(known, merged(known, A, [fresh])) is worth


def test_another_reset_of_a_used_up_window_is_worth_a_write() -> None:
    assert differs(merged({}, A, [window("Rejected")]), merged({}, A, [window("Rejected", resets=7200, seen=1)]))


def test_what_is_written_is_read_again_and_the_worst_stand_first_if_there_are_too_many() -> None:
    known = merged(merged({}, A, [window("Rejected", 100), window(full=None, resets=None, name="Requests")]), B, [window("Warning", 92)])
    assert read_windows({"windows": write_windows(known)}) == known
    assert read_windows({}) == {}
    assert [one.status for _, one in urgent_first(known)] == ["Rejected", "Warning", "Allowed"]
    many = {(Credential(f"team-{number}", "s"), "FiveHour"): window("Rejected" if number == 299 else "Allowed") for number in range(300)}
    assert len(write_windows(many)) == 256
    assert "Rejected" in {one["status"] for one in write_windows(many)}
