"""What the status of a session says about its usage."""

from typing import Any

from stint.budgets.facts import OLDER, Settled, settled_attempts
from unit.budgets.kit import after, used


def entry(number: int, cost: str, start: str, end: str, **counts: int) -> dict[str, Any]:
    return {"attempt": number, "start": f"2026-11-21T{start}Z", "end": f"2026-11-21T{end}Z", "cost": cost, **counts}


FIRST = entry(1, "0.5", "10:00:00", "10:01:00", inputTokens=10, outputTokens=5, cacheReadTokens=100, cacheWriteTokens=1)
SECOND = entry(2, "0.25", "10:02:00", "10:03:00", inputTokens=1)


def test_each_attempt_of_the_history_counts_by_itself() -> None:
    status = {
        "history": [FIRST, SECOND],
        "usage": {"cost": "0.75", "inputTokens": 11, "outputTokens": 5, "cacheReadTokens": 100, "cacheWriteTokens": 1},
    }
    assert settled_attempts(status) == {
        1: Settled(after(0), after(60), used("0.5", 116, 10, 5)),
        2: Settled(after(120), after(180), used("0.25", 1, 1)),
    }


def test_attempts_that_have_left_the_history_count_before_it() -> None:
    found = settled_attempts({"history": [SECOND], "usage": {"cost": "0.75", "inputTokens": 11}})
    assert found[OLDER] == Settled(after(120), after(120), used("0.50", 10, 10))


def test_pods_that_nobody_saw_count_at_the_end() -> None:
    found = settled_attempts({"history": [FIRST], "usage": {"cost": "0.75"}, "journaledPods": ["x"]})
    assert found[OLDER].end == after(60)


def test_a_session_that_has_done_nothing_has_used_nothing() -> None:
    assert settled_attempts({}) == {}
    assert settled_attempts({"usage": {"cost": "0"}}) == {}


def test_an_attempt_that_never_started_counts_where_it_ended() -> None:
    found = settled_attempts({"history": [{"attempt": 1, "end": "2026-11-21T10:01:00Z"}]})
    assert found == {1: Settled(after(60), after(60), used())}
