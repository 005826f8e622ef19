"""Rates: starts are spread over the window, a burst may come before its time, and the clock keeps nobody waiting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stint.budgets.rate import Rate

DAY = 86400.0


def starts(rate: Rate, until: float, now: float = 0.0) -> list[float]:
    """As many starts as are allowed, each as soon as it is."""
    found = []
    while (at := rate.allowed_at(now)) < until:
        rate.take(at)
        found.append(at)
        now = at
    return found


def test_without_a_burst_starts_are_evenly_spread() -> None:
    assert starts(Rate(4, 60, 1), until=61) == pytest.approx([0, 15, 30, 45, 60])


def test_a_burst_comes_at_once_and_then_it_is_even() -> None:
    assert starts(Rate(4, 60, 3), until=31) == pytest.approx([0, 0, 0, 15, 30])


def test_quiet_time_brings_the_burst_back_but_no_more() -> None:
    rate = Rate(4, 60, 3)
    starts(rate, until=1)
    assert starts(rate, until=1016, now=1000) == pytest.approx([1000, 1000, 1000, 1015])


@given(st.integers(1, 20), st.integers(1, 20), st.lists(st.floats(0, 30), max_size=80))
def test_no_window_has_more_than_limit_and_burst_allow(limit: int, burst: int, gaps: list[float]) -> None:
    burst = min(burst, limit)
    rate, now, taken = Rate(limit, 60, burst), 0.0, []
    for gap in gaps:
        now += gap
        if rate.allowed_at(now) <= now:
            rate.take(now)
            taken.append(now)
    for first in taken:
        assert sum(first <= each < first + 59.999 for each in taken) <= limit + burst - 1


def test_a_clock_that_is_put_back_makes_nobody_wait_longer_than_a_full_burst() -> None:
    rate = Rate(4, 60, 2)
    rate.take(365 * DAY)
    assert rate.allowed_at(0.0) == pytest.approx(15)
    assert rate.allowed_at(15.1) == 15.1


def test_starts_that_nobody_should_have_allowed_are_not_held_against_later_ones_for_ever() -> None:
    rate = Rate(4, 60, 2)
    for _ in range(100):
        rate.take(0.0)
    assert rate.allowed_at(0.0) == pytest.approx(15)


def test_starts_that_are_heard_of_late_do_not_take_a_newer_one_back() -> None:
    rate = Rate(1, 60, 1)
    rate.take(100)
    rate.take(0)
    assert rate.allowed_at(101) == 160
