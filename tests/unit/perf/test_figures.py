"""Figures must be summed up and shown as a reader expects."""

import math

import pytest

from perf.figures import Figure, Summary, percentile, summarize, written


@pytest.mark.parametrize(("percent", "expected"), [(50, 5), (90, 9), (99, 10), (100, 10), (1, 1)])
def test_a_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([10, 1, 9, 2, 8, 3, 7, 4, 6, 5], percent) == expected


def test_no_values_have_no_percentile() -> None:
    assert math.isnan(percentile([], 50))


def test_a_summary_is_the_median_and_the_spread_of_the_runs_that_have_the_figure() -> None:
    assert summarize([{"rate": 3.0}, {"rate": 1.0, "cpu": 7.0}, {"rate": 2.0}]) == {
        "rate": Summary(2.0, 1.0, 3.0, 3),
        "cpu": Summary(7.0, 7.0, 7.0, 1),
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3"), (0.0, "0"), (1234.0, "1,234"), (1234.56, "1,235"), (12.345, "12.3"), (0.6666, "0.667"), (0.00012, "0.000"), (math.nan, "–")],
)
def test_three_digits_are_enough_for_people(value: float, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize(
    ("figure", "value", "met"),
    [
        (Figure("a", "a", better="lower", goal=4), 4.0, True),
        (Figure("a", "a", better="lower", goal=4), 4.1, False),
        (Figure("a", "a", better="higher", goal=1), 0.9, False),
        (Figure("a", "a", better="higher", goal=1), 1.0, True),
        (Figure("a", "a", better="higher"), 1.0, None),
    ],
)
def test_a_goal_is_met_on_the_better_side(figure: Figure, value: float, met: bool | None) -> None:
    assert figure.meets(value) is met
