"""How many ran at the same time is read from the moments at which their pods were seen."""

from perf.load import at_once
from perf.scenario import Record


def test_pods_that_began_within_the_time_that_one_lasts_ran_together() -> None:
    assert at_once(Record(pods=[30.0, 0.0, 59.0]), 60.0) == 3
    assert at_once(Record(pods=[0.0, 61.0, 62.0]), 60.0) == 2
    assert at_once(Record(), 60.0) == 0
