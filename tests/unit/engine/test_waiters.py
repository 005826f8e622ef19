"""Who is woken by a change."""

from __future__ import annotations

from stint.engine.waiters import Waiters
from unit.engine.kit import key

PROFILE, PROVIDER = ("AgentProfile", "coder"), ("ModelProvider", "default")


def test_a_change_wakes_everybody_who_waits_for_it_and_nobody_else() -> None:
    waiters = Waiters()
    waiters.wait(key("a"), [PROFILE, PROVIDER])
    waiters.wait(key("b"), [PROFILE])
    waiters.wait(key("c"), [PROVIDER])
    assert set(waiters.of(*PROFILE)) == {key("a"), key("b")}
    assert set(waiters.of(*PROVIDER)) == {key("a"), key("c")}
    assert list(waiters.of("AgentProfile", "other")) == []


def test_what_a_key_waits_for_now_replaces_what_it_waited_for() -> None:
    waiters = Waiters()
    waiters.wait(key("a"), [PROFILE])
    waiters.wait(key("b"), [PROFILE])
    waiters.wait(key("a"), [PROVIDER])
    assert list(waiters.of(*PROFILE)) == [key("b")]
    assert list(waiters.of(*PROVIDER)) == [key("a")]


def test_waiting_for_the_same_again_changes_nothing() -> None:
    waiters = Waiters()
    waiters.wait(key("a"), [PROFILE])
    waiters.wait(key("a"), [PROFILE, PROFILE])
    assert list(waiters.of(*PROFILE)) == [key("a")]


def test_who_waits_for_nothing_any_more_is_not_woken() -> None:
    waiters = Waiters()
    waiters.wait(key("a"), [PROFILE])
    waiters.wait(key("a"), [])
    assert list(waiters.of(*PROFILE)) == []


def test_who_is_forgotten_is_not_woken_and_may_wait_again() -> None:
    waiters = Waiters()
    waiters.wait(key("a"), [PROFILE])
    waiters.forget(key("a"))
    waiters.forget(key("a"))
    assert list(waiters.of(*PROFILE)) == []
    waiters.wait(key("a"), [PROFILE])
    assert list(waiters.of(*PROFILE)) == [key("a")]


def test_a_key_may_change_what_it_waits_for_while_it_is_woken() -> None:
    waiters = Waiters()
    waiters.wait(key("a"), [PROFILE])
    waiters.wait(key("b"), [PROFILE])
    woken = []
    for one in waiters.of(*PROFILE):
        waiters.forget(one)
        woken.append(one)
    assert set(woken) == {key("a"), key("b")}
