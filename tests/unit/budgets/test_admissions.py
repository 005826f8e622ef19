"""Admissions of one leader: nothing starts before all its budgets list it, what does not take place is free again, and who waits is woken in time."""

from __future__ import annotations

import pytest

from stint.budgets.amounts import amounts
from stint.budgets.budget import BudgetKey
from stint.budgets.verdict import FREE
from unit.budgets.kit import CONCURRENCY_1, CONCURRENCY_2, COST_10_DAILY, COST_10_HOUR, NOW, TEAM, Leader, after, budget, outcome, session, settled

MINE = BudgetKey("a", "mine")
ONE = budget(CONCURRENCY_1)
MINE_10 = budget({**CONCURRENCY_1, "limit": "10"}, name="mine", namespace="a")


def test_a_session_starts_when_all_budgets_that_count_it_list_it_and_not_before() -> None:
    leader = Leader().lead(ONE, MINE_10)
    assert leader.ask("s") is None
    assert set(leader.changed) == {TEAM, MINE}
    leader.write(TEAM)
    assert leader.ask("s") is None
    assert leader.woken == []
    leader.write(MINE)
    assert leader.woken == ["s"]
    assert outcome(leader.ask("s")) == "Admitted"
    assert leader.lists(TEAM) == leader.lists(MINE) == [("s", 1)]


def test_the_verdict_that_a_session_starts_with_is_the_one_that_was_committed() -> None:
    leader = Leader().lead(budget(COST_10_DAILY))
    leader.ask("s", left=amounts("3"))
    leader.write()
    verdict = leader.ask("s", left=amounts("7"))
    assert verdict is not None
    assert (verdict.outcome, verdict.request) == ("Admitted", amounts("3"))
    assert leader.cluster[TEAM]["commits"][0]["cost"] == "3"


def test_what_budgets_only_warn_of_comes_with_the_admission() -> None:
    leader = Leader().lead(budget(CONCURRENCY_1, atLimit="Warn"))
    leader.ask("first")
    leader.ask("second")
    leader.write()
    verdict = leader.ask("second")
    assert verdict is not None
    assert [short.limit for short in verdict.warnings] == ["busy"]


def test_a_session_that_no_budget_counts_starts_at_once() -> None:
    leader = Leader().begin(MINE_10)
    assert leader.ask("s", "elsewhere") is FREE, "even before the epoch stands"


def test_who_has_no_room_is_told_at_once_and_woken_when_a_pod_ends() -> None:
    leader = Leader().lead(ONE)
    leader.ask("first")
    leader.write()
    assert outcome(leader.ask("second")) == "BudgetFull"
    leader.start("first")
    leader.end("first")
    assert leader.ask("second") is None, "admitted, and that is being written"
    leader.woken.clear()
    leader.write()
    assert leader.woken == ["second"]
    assert outcome(leader.ask("second")) == "Admitted"


def test_who_waits_hears_the_same_again_whenever_it_asks() -> None:
    leader = Leader().lead(ONE)
    leader.ask("first")
    told = leader.ask("second")
    assert outcome(told) == "BudgetFull"
    assert leader.ask("second") is told


def test_a_commit_leaves_the_status_once_the_pod_is_seen_and_the_reservation_stays() -> None:
    leader = Leader().lead(ONE)
    leader.ask("s")
    leader.write()
    leader.changed.clear()
    leader.start("s")
    assert TEAM in leader.changed
    leader.write()
    assert leader.lists() == []
    assert leader.reserved() == 1


def test_a_pod_of_an_earlier_attempt_settles_no_commit() -> None:
    leader = Leader().lead(ONE)
    leader.it.observe(session("s", settled={1: settled()}), NOW)
    leader.ask("s", attempt=2)
    leader.write()
    leader.start("s", attempt=1)
    leader.write()
    assert leader.lists() == [("s", 2)]


@pytest.mark.parametrize("how", ["withdrawn", "gone"])
@pytest.mark.parametrize("written", [False, True])
def test_an_admission_that_does_not_take_place_gives_its_room_to_the_next(how: str, written: bool) -> None:
    leader = Leader().lead(ONE)
    leader.ask("first")
    if written:
        leader.write()
    leader.ask("second")
    leader.it.withdraw("first", NOW) if how == "withdrawn" else leader.it.gone("first", NOW)
    leader.write()
    assert leader.lists() == [("second", 1)]
    assert leader.woken[-1] == "second"
    assert outcome(leader.ask("second")) == "Admitted"


def test_who_leaves_the_queue_is_not_admitted_any_more() -> None:
    leader = Leader().lead(ONE)
    leader.ask("first")
    leader.write()
    leader.start("first")
    leader.ask("second")
    leader.it.withdraw("second", NOW)
    leader.end("first")
    leader.write()
    assert leader.lists() == []
    assert leader.reserved() == 0


def test_a_budget_is_out_of_date_when_who_waited_in_it_leaves() -> None:
    leader = Leader().lead(ONE)
    leader.ask("first")
    leader.ask("second")
    assert leader.render()["waiting"] == 1
    leader.changed.clear()
    leader.it.withdraw("second", NOW)
    assert TEAM in leader.changed
    assert leader.render()["waiting"] == 0


def test_a_budget_is_out_of_date_when_the_last_session_of_an_account_goes() -> None:
    leader = Leader().lead(ONE)
    leader.it.observe(session("s"), NOW)
    leader.write()
    assert leader.cluster[TEAM]["accountCount"] == 1
    leader.changed.clear()
    leader.it.gone("s", NOW)
    assert TEAM in leader.changed
    assert leader.render()["accountCount"] == 0


def test_a_withdrawal_of_a_session_that_runs_changes_nothing() -> None:
    leader = Leader().lead(ONE)
    leader.ask("s")
    leader.write()
    leader.start("s")
    leader.it.withdraw("s", NOW)
    assert leader.reserved() == 1


def test_a_write_that_fails_is_followed_by_one_with_the_same_commits() -> None:
    leader = Leader().lead(ONE)
    leader.ask("s")
    leader.render()  # it does not get to the cluster
    assert leader.ask("s") is None
    assert leader.it.urgent(TEAM)
    leader.write()
    assert leader.lists() == [("s", 1)]
    assert outcome(leader.ask("s")) == "Admitted"


def test_an_answer_that_was_lost_is_made_up_for_by_the_watch() -> None:
    leader = Leader().lead(ONE)
    leader.ask("s")
    stands = leader.render()
    leader.it.stands(TEAM, leader.cluster[TEAM], NOW)  # news from before
    assert leader.ask("s") is None
    leader.it.stands(TEAM, stands, NOW)
    assert outcome(leader.ask("s")) == "Admitted"


def test_nobody_waits_for_a_write_of_figures_alone() -> None:
    leader = Leader().begin(ONE)
    assert leader.it.urgent(TEAM), "the epoch"
    leader.write()
    assert not leader.it.urgent(TEAM)
    leader.ask("s")
    assert leader.it.urgent(TEAM), "a commit"
    leader.write()
    leader.start("s")
    assert not leader.it.urgent(TEAM), "a commit that has become needless"


# Time, and budgets that change


def test_time_alone_makes_room_and_says_when() -> None:
    leader = Leader()
    leader.it.observe(session("before", settled={1: settled("9.5", end=0)}), NOW)
    leader.lead(budget(COST_10_HOUR))
    leader.ask("s")
    due = leader.it.next_wakeup(TEAM)
    assert due is not None
    leader.it.tick(after(60))
    assert leader.it.ledger.running("s") is None
    leader.it.tick(due)
    assert leader.it.ledger.running("s") is not None


def test_a_budget_that_goes_keeps_nobody_waiting_neither_for_room_nor_for_a_write() -> None:
    leader = Leader().lead(ONE)
    leader.ask("first")
    leader.ask("second")
    leader.it.remove_budget(TEAM, NOW)
    assert leader.woken == ["first", "second"]
    assert leader.ask("second") == FREE
    assert outcome(leader.ask("first")) == "Admitted"


def test_a_raised_limit_lets_the_next_one_in() -> None:
    leader = Leader().lead(ONE)
    leader.ask("first")
    leader.ask("second")
    leader.it.put_budget(budget(CONCURRENCY_2), NOW, leader.cluster[TEAM])
    leader.write()
    assert leader.lists() == [("first", 1), ("second", 1)]
