"""Who starts next: priority, age, fairness between namespaces, and that nobody waits for what he does not need."""

from datetime import datetime

import pytest

from stint.budgets.amounts import Amounts, amounts
from stint.budgets.verdict import Verdict
from stint.engine.conditions import timestamp
from unit.budgets.kit import (
    CONCURRENCY_1,
    CONCURRENCY_2,
    COST_10_DAILY,
    COST_10_HOUR,
    NOW,
    Bench,
    after,
    budget,
    relabelled,
    session,
    settled,
    waiter,
)

RATE = {"name": "rate", "resource": "sessions", "limit": "6", "window": "1m"}


def outcomes(bench: Bench) -> dict[str, str]:
    return {decision.waiter.uid: decision.verdict.outcome for decision in bench.pump()}


# Order


def test_priority_then_age_inside_a_namespace() -> None:
    bench = Bench(budget(CONCURRENCY_1))
    bench.wait(waiter("young"), waiter("old", age=50), waiter("urgent", priority=5), waiter("idle", priority=-5, age=99))
    order = []
    for _ in range(4):
        (uid,) = bench.started()
        order.append(uid)
        bench.end(uid)
    assert order == ["urgent", "old", "young", "idle"]


def test_sessions_of_one_age_start_in_the_order_of_their_uids() -> None:
    bench = Bench(budget(CONCURRENCY_2))
    bench.wait(waiter("b"), waiter("c"), waiter("a"))
    assert bench.started() == ["a", "b"]


def test_between_namespaces_the_one_that_holds_least_goes_first() -> None:
    bench = Bench(budget({**CONCURRENCY_1, "limit": "4"}))
    bench.wait(*(waiter(f"a{number}", "a", age=100 - number) for number in range(6)))
    assert bench.started() == ["a0", "a1", "a2", "a3"]
    bench.wait(waiter("b0", "b"), waiter("b1", "b"), waiter("b2", "b"))

    order = []
    for ended in ("a0", "a1", "a2", "a3"):
        bench.end(ended)
        order += bench.started()

    assert order == ["b0", "b1", "a4", "a5"], "b holds nothing, then less than a; then a holds less than b"


def test_what_was_spent_counts_for_the_order_of_namespaces() -> None:
    bench = Bench(budget({**COST_10_HOUR, "limit": "4"}, CONCURRENCY_1))
    bench.known("before", "a", settled={1: settled("2", end=0)})
    bench.wait(waiter("a", "a", age=100), waiter("b", "b"))
    assert bench.started() == ["b"]


def test_priorities_reach_no_further_than_their_namespace() -> None:
    bench = Bench(budget(CONCURRENCY_2))
    bench.wait(waiter("a0", "a", priority=1000), waiter("a1", "a", priority=1000), waiter("b0", "b", priority=-1000))
    assert bench.started() == ["a0", "b0"]


# Places


def test_an_account_without_room_holds_nobody_up_in_another() -> None:
    bench = Bench(budget(CONCURRENCY_1, per=["Namespace"]), budget({**CONCURRENCY_1, "limit": "9"}, name="all"))
    bench.admit("running", "a")
    bench.wait(waiter("a1", "a", age=100), waiter("b1", "b"))
    assert bench.started() == ["b1"]


def test_a_small_session_does_not_overtake_a_large_one_in_the_account_that_lacks_room() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.admit("running", left=amounts("8"))
    bench.wait(waiter("large", age=10, left=amounts("5")), waiter("small", left=amounts("1")))
    assert bench.started() == []
    bench.end("running")
    assert bench.started() == ["large", "small"]


def test_it_does_overtake_in_an_account_that_has_room_for_the_large_one() -> None:
    bench = Bench(budget(COST_10_DAILY), budget(CONCURRENCY_1, name="mine", namespace="a"))
    bench.admit("running", "a")
    bench.wait(waiter("blocked", "a", age=10), waiter("free", "b"))
    assert bench.started() == ["free"]


def test_a_newcomer_waits_behind_those_who_wait_for_the_same() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.admit("running", left=amounts("8"))
    bench.wait(waiter("large", age=10, left=amounts("5")))
    bench.pump()
    bench.wait(waiter("small", left=amounts("1")))
    assert bench.started() == []
    bench.queue.remove("large")
    assert bench.started() == ["small"]


def test_room_in_one_account_is_no_way_past_those_who_wait_in_another() -> None:
    bench = Bench(budget(COST_10_DAILY), budget(CONCURRENCY_1, name="mine", namespace="b"))
    bench.admit("running", "c", left=amounts("7"))
    bench.admit("own", "b", left=amounts("1"))
    bench.wait(waiter("large", "a", age=10, left=amounts("5")), waiter("small", "b", left=amounts("1")))
    assert bench.started() == []
    bench.end("own")
    assert bench.started() == [], "there is room for it in both, but large was here before"
    bench.end("running")
    assert bench.started() == ["large", "small"]


def test_a_session_that_two_accounts_hold_up_starts_when_both_have_room() -> None:
    bench = Bench(budget(CONCURRENCY_1), budget(CONCURRENCY_1, name="mine", namespace="a"))
    bench.admit("shared", "b")
    bench.ledger.put_budget(budget({**CONCURRENCY_1, "limit": "2"}), NOW)
    bench.admit("own", "a")
    bench.wait(waiter("s", "a"))
    assert bench.started() == []
    bench.end("shared")
    assert bench.started() == []
    bench.end("own")
    assert bench.started() == ["s"]


def test_a_session_without_budgets_starts_at_once() -> None:
    bench = Bench()
    bench.wait(waiter("s"))
    assert bench.started() == ["s"]
    assert len(bench.queue) == 0


# What sessions are told


def test_a_session_is_told_once_that_it_waits_and_for_what() -> None:
    bench = Bench(budget(CONCURRENCY_1))
    bench.admit("running")
    bench.wait(waiter("1", age=10), waiter("2"))

    told = bench.pump()

    assert [(decision.waiter.uid, decision.verdict.outcome) for decision in told] == [("1", "BudgetFull"), ("2", "BudgetFull")]
    assert {decision.verdict.decisive.budget.name for decision in told} == {"team"}
    bench.end("running")
    assert bench.started() == ["1"]
    assert bench.pump() == [], "the queue has moved, and nobody is told"


def test_who_is_behind_others_is_told_what_they_wait_for() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.known("before", settled={1: settled("8", end=0)})
    bench.wait(waiter("large", age=10, left=amounts("5")), waiter("small", left=amounts("1")))
    told = {decision.waiter.uid: decision.verdict for decision in bench.pump()}
    assert told["small"].outcome == "BudgetFull"
    assert told["small"].request == amounts("1")
    assert told["small"].until == after(14 * 3600)


@pytest.mark.parametrize(("at_limit", "outcome"), [("Reject", "BudgetRejected"), ("Warn", "Admitted")])
def test_nobody_waits_for_a_budget_that_does_not_queue(at_limit: str, outcome: str) -> None:
    bench = Bench(budget(CONCURRENCY_1, atLimit=at_limit))
    bench.admit("running")
    bench.wait(waiter("s"))
    assert outcomes(bench) == {"s": outcome}
    assert len(bench.queue) == 0


def test_what_rejects_new_sessions_lets_those_wait_that_have_begun() -> None:
    bench = Bench(budget(CONCURRENCY_1, atLimit="Reject"))
    bench.admit("running")
    bench.known("retried", settled={1: settled("1", end=0)})
    bench.wait(waiter("retried", attempt=2), waiter("new"))
    assert outcomes(bench) == {"retried": "BudgetFull", "new": "BudgetRejected"}
    bench.end("running")
    assert bench.started() == ["retried"]


def test_who_was_told_of_a_budget_that_is_deleted_is_told_of_another() -> None:
    bench = Bench(budget(CONCURRENCY_1), budget(CONCURRENCY_1, name="zz"))
    bench.admit("running")
    bench.wait(waiter("s"), waiter("t"))
    (named,) = {decision.verdict.decisive.budget for decision in bench.pump()}
    bench.ledger.remove_budget(named)
    decisions = bench.pump()
    assert {decision.waiter.uid: decision.verdict.outcome for decision in decisions} == {"s": "BudgetFull", "t": "BudgetFull"}
    assert named not in {decision.verdict.decisive.budget for decision in decisions}
    assert bench.pump() == []


def test_a_time_that_becomes_known_is_told_to_the_first_in_line() -> None:
    # given one that waits for a session to end
    bench = Bench(budget(COST_10_HOUR))
    bench.admit("running", left=amounts("8"))
    bench.wait(waiter("s", left=amounts("5")))
    assert [decision.verdict.until for decision in bench.pump()] == [None]
    # when it has ended and what it used leaves the window at a known time
    bench.end("running", cost="8")
    (decision,) = bench.pump()
    # then
    assert (decision.waiter.uid, decision.verdict.outcome) == ("s", "BudgetFull")
    assert decision.verdict.until is not None
    assert bench.pump() == []


def test_who_asks_for_too_much_is_told_and_holds_nobody_up() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.wait(waiter("huge", age=10, left=amounts("11")), waiter("s"))
    assert outcomes(bench) == {"huge": "ExceedsBudget", "s": "Admitted"}


def test_a_session_that_waits_behind_others_is_still_rejected_at_once() -> None:
    bench = Bench(budget(CONCURRENCY_1), budget(CONCURRENCY_1, name="hard", namespace="b", atLimit="Reject"))
    bench.admit("running", "b")
    bench.wait(waiter("first", "a", age=10), waiter("s", "b"))
    assert outcomes(bench) == {"first": "BudgetFull", "s": "BudgetRejected"}


# Time


def test_it_wakes_up_when_room_is_due_and_not_before() -> None:
    bench = Bench(budget(COST_10_HOUR))
    bench.known("before", settled={1: settled("9", end=0)})
    bench.wait(waiter("s", left=amounts("5")))
    bench.pump()
    due = bench.queue.next_wakeup()
    assert due == after(3660)
    assert bench.started(after(3659)) == []
    assert bench.started(due) == ["s"]
    assert bench.queue.next_wakeup() is None


def test_a_rate_lets_one_in_at_a_time() -> None:
    bench = Bench(budget(RATE))
    bench.wait(*(waiter(str(number), age=10 - number) for number in range(4)))
    found = []
    now = NOW
    for _ in range(4):
        found.append((bench.started(now), (now - NOW).total_seconds()))
        now = bench.queue.next_wakeup() or now
    assert found == [(["0"], 0), (["1"], 10), (["2"], 20), (["3"], 30)]


def test_who_comes_to_wait_for_another_account_wakes_up_for_that_one() -> None:
    bench = Bench(budget(RATE), budget(COST_10_HOUR, name="mine", namespace="a"))
    bench.wait(waiter("first", age=20, left=amounts("4")), waiter("s", left=amounts("5")))
    assert bench.started() == ["first"]
    bench.end("first", "9")
    assert bench.started(after(10)) == []
    assert bench.queue.next_wakeup() == after(3660)
    assert bench.started(after(3660)) == ["s"]


def test_nothing_is_due_while_only_a_settlement_makes_room() -> None:
    bench = Bench(budget(CONCURRENCY_1))
    bench.admit("running")
    bench.wait(waiter("s"))
    bench.pump()
    assert bench.queue.next_wakeup() is None


def test_a_clock_that_goes_back_lets_nobody_in_early_and_nobody_wait_for_ever() -> None:
    bench = Bench(budget(COST_10_HOUR))
    bench.known("before", settled={1: settled("9", end=0)})
    bench.wait(waiter("s", left=amounts("5")))
    assert bench.started(after(-600)) == []
    assert bench.started(after(3660)) == ["s"]


# Changes while sessions wait


def test_a_raised_limit_lets_those_who_wait_start() -> None:
    bench = Bench(budget(CONCURRENCY_1))
    bench.admit("running")
    bench.wait(waiter("1", age=10), waiter("2"))
    bench.pump()
    bench.ledger.put_budget(budget(CONCURRENCY_2), NOW)
    assert bench.started() == ["1"]
    bench.ledger.remove_budget(budget().key)
    assert bench.started() == ["2"]


def test_a_new_budget_holds_those_who_wait_for_another() -> None:
    bench = Bench(budget(CONCURRENCY_1))
    bench.admit("running")
    bench.wait(waiter("s"))
    bench.pump()
    bench.ledger.put_budget(budget(CONCURRENCY_1, name="new"), NOW)
    bench.ledger.remove_budget(budget().key)
    assert bench.started() == []
    bench.end("running")
    assert bench.started() == ["s"]


def test_a_session_that_moves_to_another_account_waits_there() -> None:
    bench = Bench(budget(CONCURRENCY_1, per=["Label:team"]))
    bench.admit("running", labels={"team": "a"})
    bench.wait(waiter("s"), labels={"team": "a"})
    assert bench.started() == []
    bench.ledger.observe(relabelled(session("s"), team="b"), NOW)
    assert bench.started() == ["s"]


def test_raised_limits_of_a_waiting_session_count_at_once_and_it_keeps_its_place() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.admit("running", left=amounts("7"))
    bench.wait(waiter("s", age=10, left=amounts("5")), waiter("t", left=amounts("4")))
    assert bench.started() == []
    bench.queue.add(waiter("s", age=10, left=amounts("3")))
    assert bench.started() == ["s"]
    bench.end("running")
    assert bench.started() == ["t"]


def test_a_session_that_no_longer_wants_to_start_holds_nobody_up() -> None:
    bench = Bench(budget(CONCURRENCY_1))
    bench.admit("running")
    bench.wait(waiter("1", age=10), waiter("2"))
    bench.pump()
    bench.queue.remove("1")
    bench.queue.remove("unknown")
    bench.end("running")
    assert bench.started() == ["2"]


def test_an_admission_that_does_not_take_place_can_be_asked_for_again() -> None:
    bench = Bench(budget(CONCURRENCY_1))
    bench.wait(waiter("1", age=10), waiter("2"))
    assert bench.started() == ["1"]
    bench.ledger.release("1", 1)
    bench.queue.add(waiter("1", age=10))
    assert bench.started() == ["1"]


# Figures


def test_it_counts_who_waits_and_who_is_before_a_session() -> None:
    bench = Bench(budget(CONCURRENCY_1), budget(COST_10_DAILY, name="cost"))
    bench.admit("running")
    bench.wait(waiter("1", age=20), waiter("2", age=10), waiter("3", "b"), waiter("4", priority=1))
    bench.pump()
    assert bench.queue.waiting(budget().key) == 4
    assert bench.queue.waiting(budget(name="cost").key) == 0
    assert [bench.queue.ahead_of(uid) for uid in "1234"] == [1, 2, 0, 0]
    assert "1" in bench.queue


def test_one_settlement_among_thousands_who_wait_asks_only_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(budget(CONCURRENCY_1))
    bench.admit("running")
    bench.wait(*(waiter(f"{number:04}", age=5_000 - number) for number in range(2_000)))
    bench.pump()
    asked: list[str] = []
    ask = bench.ledger.ask

    def listening(uid: str, left: Amounts, now: datetime) -> Verdict:
        asked.append(uid)
        return ask(uid, left, now)

    monkeypatch.setattr(bench.ledger, "ask", listening)
    bench.end("running")
    assert bench.started() == ["0000"]
    assert asked == ["0000", "0001"]


def test_a_place_that_is_left_and_taken_again_leaves_nothing_behind() -> None:
    bench = Bench(budget(CONCURRENCY_1))
    bench.admit("running")
    for number in range(1_000):
        bench.wait(waiter("s", left=amounts(str(number + 1))))
        bench.pump()
    (line,) = bench.queue._lines.values()
    assert sum(len(heap) for heap in line._heaps.values()) == 1


def test_the_sentence_names_budget_account_amounts_and_time() -> None:
    bench = Bench(budget(COST_10_DAILY, per=["Namespace"]))
    bench.known("before", settled={1: settled("9.5", end=0)})
    verdict = bench.admit("s")
    assert verdict.message == (
        "budget stint-system/team, account Namespace=a, limit day: 0.5 of 10 USD left (9.5 spent, 0 reserved), 1 needed; "
        f"there is room at {timestamp(after(14 * 3600))}"
    )
