"""Who may ask a provider: one tries, the others wait, and then they go on in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from stint.engine.keys import Key
from stint.providers.circuit import GOOD, Outcome
from stint.providers.scope import WHOLE
from stint.providers.status import write_circuits
from unit.providers.kit import NOW, PROVIDER, Crossing, passage


@pytest.fixture
def crossing() -> Crossing:
    return Crossing()


def states(crossing: Crossing) -> dict[str, str]:
    return {scope.kind: one.state for scope, one in crossing.road.circuits.items()}


def test_nothing_is_kept_of_providers_that_answer(crossing: Crossing) -> None:
    crossing.traffic.learn(passage("a"), GOOD, NOW, NOW)
    assert crossing.asks("b") == ""
    assert crossing.road.circuits == {}
    assert crossing.looks == []


def test_a_provider_that_is_not_there_holds_nobody(crossing: Crossing) -> None:
    elsewhere = replace(passage("a"), provider=Key("ModelProvider", "team-a", "gone"))
    assert crossing.traffic.blocked(elsewhere, NOW) is None
    assert crossing.traffic.enter(elsewhere, NOW)
    crossing.traffic.learn(elsewhere, "Overloaded", NOW, NOW)
    crossing.traffic.tell(elsewhere, [], NOW)
    crossing.traffic.wait(elsewhere, NOW)
    assert crossing.traffic.tick(elsewhere.provider, NOW) is None


def test_a_provider_that_cannot_be_read_holds_nobody(crossing: Crossing) -> None:
    crossing.put(2, spec={"breaker": {"failures": "many"}})
    assert crossing.asks("a") == ""


def test_once_it_is_open_all_wait_and_the_provider_is_written_at_once(crossing: Crossing) -> None:
    crossing.open()
    assert PROVIDER in crossing.looks
    assert crossing.road.changed
    assert crossing.asks("a") == "CircuitOpen"
    assert states(crossing) == {"Provider": "Open", "Model": "Open"}


def test_the_first_in_line_tries_once_its_place_is_on_record(crossing: Crossing) -> None:
    crossing.open()
    for uid, age in (("young", 1), ("old", 9)):
        assert crossing.asks(uid, age=age) == "CircuitOpen"
    assert crossing.later(29) == []
    assert crossing.later(1) == ["old"]
    assert crossing.asks("young", age=1) == "CircuitOpen"
    assert crossing.asks("old", age=9) == "pending"
    crossing.written()
    assert Key("AgentSession", "team-a", "old") in crossing.looks
    assert crossing.asks("old", age=9) == ""
    assert crossing.later(1) == []


def test_who_comes_while_somebody_tries_waits(crossing: Crossing) -> None:
    crossing.open()
    crossing.later(30)
    assert crossing.asks("probe") == "pending"
    assert crossing.asks("other") == "CircuitOpen"
    crossing.written()
    assert crossing.asks("probe") == ""


def try_with(crossing: Crossing, uid: str = "probe", **more: Any) -> None:
    crossing.later(30)
    assert crossing.asks(uid, **more) == "pending"
    crossing.written()
    assert crossing.asks(uid, **more) == ""


def test_the_first_good_answer_lets_the_others_go_one_after_the_other(crossing: Crossing) -> None:
    crossing.open()
    for number in range(20):
        crossing.asks(f"w{number:02d}", age=100 - number)
    crossing.later(30)
    assert crossing.asks("w00", age=100) == "pending"
    crossing.written()
    assert crossing.asks("w00", age=100) == ""
    crossing.traffic.runs(passage("w00"))
    crossing.traffic.answered("w00", 2)
    assert states(crossing)["Provider"] == "HalfOpen", "another attempt's answer"
    crossing.traffic.answered("w00", 1)
    assert states(crossing) == {"Provider": "Closed", "Model": "Closed"}
    assert crossing.asks("fresh") == "CircuitOpen", "nobody overtakes"
    gone: list[str] = []
    for _ in range(12):
        going = crossing.later(1)
        assert len(going) <= 4
        for uid in going:
            assert crossing.asks(uid, age=0 if uid == "fresh" else 100 - int(uid[1:])) == ""
        gone += going
    assert gone == [*(f"w{number:02d}" for number in range(1, 20)), "fresh"]
    assert crossing.asks("later") == "", "there is no line any more"


def test_a_turn_that_is_not_taken_goes_to_the_next(crossing: Crossing) -> None:
    crossing.open()
    crossing.asks("a", age=9)
    crossing.asks("b", age=1)
    assert crossing.later(30) == ["a"]
    assert crossing.later(10) == []
    assert crossing.later(21) == ["b"], "who has not come would let it pass again and again"
    assert crossing.asks("a", age=9) == "CircuitOpen", "it may join the line again"
    crossing.traffic.withdraw("b")
    assert crossing.tick() == ["a"]


@pytest.mark.parametrize("how", ["withdrawn", "ended"])
def test_a_probe_that_finds_out_nothing_leaves_its_place(crossing: Crossing, how: str) -> None:
    crossing.open()
    try_with(crossing)
    assert crossing.asks("next") == "CircuitOpen"
    if how == "withdrawn":
        crossing.traffic.withdraw("probe")
    else:
        crossing.traffic.ended(passage("probe"), crossing.now)
    assert crossing.tick() == ["next"]


def test_a_probe_that_fails_opens_it_for_longer(crossing: Crossing) -> None:
    crossing.open()
    try_with(crossing)
    assert crossing.traffic.probes(passage("probe"))
    crossing.fail("probe")
    crossing.traffic.ended(passage("probe"), crossing.now)
    assert states(crossing) == {"Provider": "Open", "Model": "Open"}
    assert crossing.asks("probe", attempt=2) == "CircuitOpen"
    assert crossing.later(59) == []
    assert crossing.later(1) == ["probe"]


def test_another_teams_credential_has_a_circuit_of_its_own(crossing: Crossing) -> None:
    crossing.fail("a", "AuthFailed")
    assert crossing.asks("b") == "CircuitOpen"
    assert crossing.asks("c", namespace="team-b") == ""


def test_a_used_up_window_holds_its_credential_until_the_reset(crossing: Crossing) -> None:
    crossing.window("Rejected", 60)
    assert crossing.asks("a") == "WindowRejected"
    assert crossing.asks("b", namespace="team-b") == ""
    assert crossing.later(59.9) == []
    crossing.now += timedelta(seconds=0.2)
    assert crossing.asks("fresh") == "WindowRejected", "the reset is a moment ago, but somebody waits"
    going = [uid for _ in range(8) for uid in crossing.later(1)]
    assert going[0] == "a"


def test_of_too_many_windows_the_worst_are_kept(crossing: Crossing) -> None:
    crossing.window("Rejected", 60)
    for number in range(300):
        crossing.window("Allowed", 60, namespace=f"team-{number}")
    assert len(crossing.road.windows) == 256
    assert crossing.asks("a") == "WindowRejected"


def test_a_place_that_was_taken_meanwhile_is_not_entered(crossing: Crossing) -> None:
    crossing.open()
    crossing.later(30)
    assert crossing.traffic.blocked(passage("slow"), crossing.now) is None
    assert crossing.asks("quick") == "pending"
    crossing.looks.clear()
    assert not crossing.traffic.enter(passage("slow"), crossing.now)
    assert Key("AgentSession", "team-a", "slow") in crossing.looks


def test_while_a_window_warns_sessions_start_five_seconds_apart(crossing: Crossing) -> None:
    crossing.window("Warning", 3600)
    assert crossing.asks("a") == ""
    assert crossing.asks("b", age=2) == "WindowWarning"
    assert crossing.asks("c", age=1) == "WindowWarning"
    assert crossing.asks("d", namespace="team-b") == ""
    assert crossing.later(4) == []
    assert crossing.later(1) == ["b"]
    assert crossing.asks("b", age=2) == ""
    assert crossing.later(5) == ["c"]


def test_the_line_is_looked_at_when_time_may_let_somebody_go(crossing: Crossing) -> None:
    crossing.window("Warning", 3600)
    crossing.asks("a")
    crossing.road.next_look = NOW + timedelta(seconds=600)
    crossing.looks.clear()
    crossing.asks("b")
    assert PROVIDER in crossing.looks
    crossing.road.next_look = crossing.road.next_moment(crossing.now)
    crossing.looks.clear()
    crossing.asks("c")
    assert PROVIDER not in crossing.looks, "it will be looked at in time"


def test_a_changed_spec_counts_at_once(crossing: Crossing) -> None:
    crossing.open()
    crossing.asks("a")
    crossing.traffic.provider_changed(PROVIDER, crossing.put(2, spec={"breaker": {"failures": 9}}))
    assert crossing.road.breaker.failures == 9
    assert crossing.tick() == ["a"]
    crossing.traffic.provider_changed(PROVIDER, crossing.put(3, spec={"breaker": {"failures": "no"}}))
    assert crossing.road.breaker.failures == 9


def test_who_is_asked_for_a_live_report(crossing: Crossing) -> None:
    for number in range(5):
        crossing.traffic.runs(passage(f"r{number}"))
    assert crossing.traffic.to_ask(NOW) == []
    assert not crossing.traffic.wanted.is_set()
    crossing.window("Warning", 3600)
    assert crossing.traffic.wanted.is_set()
    assert [one.uid for one in crossing.traffic.to_ask(NOW)] == ["r4", "r3", "r2"]
    assert crossing.traffic.to_ask(NOW + timedelta(hours=2)) == []
    crossing.open()
    try_with(crossing, namespace="team-b", model="claude-x")
    crossing.traffic.runs(passage("probe", namespace="team-b"))
    assert "probe" in {one.uid for one in crossing.traffic.to_ask(crossing.now)}
    crossing.traffic.ended(passage("r4"), crossing.now)
    assert "r4" not in {one.uid for one in crossing.traffic.to_ask(crossing.now)}


def test_the_endpoint_is_asked_once_when_it_is_half_open() -> None:
    crossing = Crossing({"failures": 2, "probe": "Endpoint", "openFor": {"initial": "30s"}})
    crossing.open()
    assert crossing.asks("a", model="claude-y") == "CircuitOpen"
    assert crossing.traffic.endpoints_to_ask(crossing.now) == []
    assert crossing.later(30) == [], "no session tries the provider as a whole"
    assert crossing.traffic.endpoints_to_ask(crossing.now) == [PROVIDER]
    assert crossing.traffic.endpoints_to_ask(crossing.now) == []
    crossing.traffic.endpoint_answered(PROVIDER, "ServerError")
    assert states(crossing)["Provider"] == "Open"
    crossing.later(60)
    assert crossing.traffic.endpoints_to_ask(crossing.now) == [PROVIDER]
    crossing.traffic.endpoint_answered(PROVIDER, GOOD)
    assert crossing.tick() == ["a"]
    crossing.traffic.provider_gone(PROVIDER)
    crossing.traffic.endpoint_answered(PROVIDER, GOOD)


def outcome(uid: str, kind: str, seconds: float, attempt: int = 1) -> Any:
    return passage(uid, attempt), Outcome(kind, uid, attempt, "team-a", NOW + timedelta(seconds=seconds))


def test_at_the_start_what_the_history_says_is_counted_again(crossing: Crossing) -> None:
    crossing.traffic.begin([outcome("b", "Overloaded", -10), outcome("a", "Overloaded", -20), outcome("c", GOOD, -60)], lambda: ())
    assert states(crossing)["Provider"] == "Open"
    other = Crossing()
    other.traffic.begin([outcome("b", "Overloaded", -10), outcome("a", "Overloaded", -20), outcome("c", GOOD, -15)], lambda: ())
    assert states(other)["Provider"] == "Closed"
    old = Crossing()
    old.traffic.begin([outcome("b", "Overloaded", -1000), outcome("a", "Overloaded", -900)], lambda: ())
    assert old.road.circuits == {}


@pytest.mark.parametrize(("living", "probe"), [({("probe", 1)}, True), (set(), False)])
def test_a_probe_on_record_keeps_its_place_as_long_as_its_attempt_may_be_under_way(living: set[tuple[str, int]], probe: bool) -> None:
    before = Crossing()
    before.open()
    try_with(before)
    crossing = Crossing(now=before.now)
    crossing.put(2, {"circuits": write_circuits(before.road.circuits, before.road.breaker, before.now)})
    crossing.traffic.begin([], lambda: living)
    assert (crossing.asks("other") == "CircuitOpen") is probe
    assert [key for key, _ in crossing.traffic.roads()] == [PROVIDER]


def test_who_goes_to_another_provider_leaves_the_line_of_the_former(crossing: Crossing) -> None:
    crossing.open()
    crossing.asks("moves", age=9)
    crossing.asks("stays", age=1)
    crossing.traffic.wait(replace(passage("moves", age=9), provider=Key("ModelProvider", "stint-system", "default")), crossing.now)
    assert crossing.later(30) == ["stays"]


def test_who_goes_to_another_provider_tries_this_one_no_more(crossing: Crossing) -> None:
    crossing.open()
    try_with(crossing)
    crossing.traffic.runs(replace(passage("probe"), provider=Key("ModelProvider", "stint-system", "default")))
    assert crossing.asks("next") == "pending"


def test_who_tries_is_not_held_up_by_those_who_wait_for_it(crossing: Crossing) -> None:
    # given a place as the probe that is not on record yet, and a window that warns
    crossing.window("Warning", 3600)
    crossing.open()
    crossing.later(30)
    assert crossing.asks("probe") == "pending"
    # when
    assert crossing.asks("other") == "CircuitOpen"
    crossing.written()
    # then
    assert crossing.asks("probe") == ""


def test_who_was_to_try_and_has_to_wait_for_something_else_gives_its_place_away(crossing: Crossing) -> None:
    # given
    crossing.open()
    crossing.later(30)
    assert crossing.asks("probe", age=9) == "pending"
    # when its own window is used up before it has begun
    crossing.window("Rejected", 3600)
    assert crossing.asks("probe", age=9) == "WindowRejected"
    # then
    assert crossing.asks("other", namespace="team-b") == "CircuitOpen"
    assert crossing.later(1) == ["other"]
    assert crossing.asks("other", namespace="team-b") == "pending"


def test_while_a_window_warns_nobody_waits_for_a_circuit_that_concerns_others() -> None:
    # given a session that waits for the circuit of its own model, and the provider looks at that in a while
    crossing = Crossing({"failures": 9, "openFor": {"initial": "10m", "max": "10m"}})
    crossing.window("Warning", 3600)
    for number in range(9):
        crossing.fail(f"f{number}")
    crossing.road.circuits.pop(WHOLE)
    crossing.asks("held")
    crossing.tick()
    crossing.road.changed, crossing.road.next_look = False, crossing.road.next_moment(crossing.now)
    # when one comes that uses another model
    assert crossing.asks("free", model="claude-y") == "WindowWarning"
    # then
    assert PROVIDER in crossing.looks
    assert crossing.tick() == ["free"]


def test_an_endpoint_is_asked_when_nobody_but_time_has_made_it_half_open() -> None:
    crossing = Crossing({"failures": 2, "probe": "Endpoint", "openFor": {"initial": "30s"}})
    crossing.open()
    crossing.traffic.wanted.clear()  # nobody was to be asked while it was open
    crossing.later(30)
    assert crossing.traffic.wanted.is_set()
