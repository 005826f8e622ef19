"""How long nobody decided is read from the moments at which pods were seen."""

from perf.failover import resumed
from perf.scenario import Record


def test_the_next_leaders_first_pod_is_the_one_after_the_longest_time_without() -> None:
    before, after = [10.0, 10.1, 10.2, 10.9], [25.5, 25.51, 25.6]
    assert resumed(Record(pods=[*before, *reversed(after)])) == 25.5
