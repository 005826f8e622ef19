"""What sessions remember of their providers, read when a controller starts."""

from __future__ import annotations

from stint.providers.circuit import GOOD
from stint.sessions.remembered import remembered, unsettled
from unit.sessions.builders import NOW, attempt, finished_status, provider, session, status
from unit.sessions.kit import Cluster, world

FAILED = attempt(1, "Failed", "Overloaded", providerError="Overloaded")


def test_where_nothing_has_failed_nothing_is_read() -> None:
    place = world(Cluster(), session(status=finished_status()), provider())
    assert list(remembered(place, NOW)) == []


def test_one_failure_makes_the_successes_of_all_count() -> None:
    failed = session(status=status(history=[FAILED]))
    good = session(status=finished_status(), name="good", uid="good")
    found = {(outcome.uid, outcome.kind) for _, outcome in remembered(world(Cluster(), failed, good, provider()), NOW)}
    assert found == {(failed["metadata"]["uid"], "Overloaded"), ("good", GOOD)}


def test_attempts_that_may_be_under_way_are_the_next_ones_of_sessions_that_have_not_finished() -> None:
    going = session(status=status(history=[FAILED]))
    over = session(status=finished_status(), name="over", uid="over")
    assert unsettled(world(Cluster(), going, over, provider()), NOW) == {(going["metadata"]["uid"], 2)}
