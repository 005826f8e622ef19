"""Whose turn it is when a provider lets sessions start again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stint.providers.line import UNLIMITED, Gate, Waiter, allowance, turns
from stint.providers.scope import WHOLE, Credential

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
A, B = Credential("team-a", "s"), Credential("team-b", "s")


def waiter(uid: str, *gates: Gate, priority: int = 0, age: float = 0) -> Waiter:
    return Waiter(uid, 1, priority, NOW - timedelta(seconds=age), gates)


def going(*waiters: Waiter, **room: int) -> list[str]:
    gates: dict[str, Gate] = {"whole": WHOLE, "a": A, "b": B}
    return [one.uid for one in turns(waiters, {gates[name]: number for name, number in room.items()})]


def test_priority_goes_first_and_then_age() -> None:
    waiters = (waiter("young", A), waiter("old", A, age=9), waiter("urgent", A, priority=1))
    assert going(*waiters, a=1) == ["urgent"]
    assert going(*waiters, a=2) == ["urgent", "old"]
    assert going(*waiters) == ["urgent", "old", "young"]


def test_every_gate_has_to_let_it_through() -> None:
    assert going(waiter("x", WHOLE, A), whole=1, a=0) == []
    assert going(waiter("x", WHOLE, A), whole=1, a=1) == ["x"]


def test_who_stands_before_a_shut_gate_holds_nobody_behind_it() -> None:
    assert going(waiter("first", A, age=9), waiter("second", B), a=0, b=1) == ["second"]
    assert going(waiter("first", A, age=9), waiter("second", B), a=0) == ["second"]


def test_a_gate_lets_through_no_more_than_it_has_room_for() -> None:
    assert len(going(*(waiter(str(number), WHOLE) for number in range(50)), whole=7)) == 7


@pytest.mark.parametrize(("seconds", "gone"), [(-1, 0), (0, 1), (1, 2), (4.9, 5), (5, 6), (10, 16), (20, 76), (60, 20476), (10**9, UNLIMITED)])
def test_the_pace_doubles_every_five_seconds(seconds: float, gone: int) -> None:
    assert allowance(seconds) == gone


def test_more_time_never_lets_fewer_go() -> None:
    found = [allowance(tenth / 10) for tenth in range(-10, 2000)]
    assert found == sorted(found)
