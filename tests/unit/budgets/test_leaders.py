"""One leader after another: nobody decides before its epoch stands everywhere, what was committed is carried out, and a leader that was
superseded ends."""

from __future__ import annotations

import pytest

from stint.budgets.admissions import Superseded
from stint.budgets.amounts import amounts
from stint.budgets.budget import BudgetKey
from stint.budgets.facts import Running
from unit.budgets.kit import (
    CONCURRENCY_1,
    CONCURRENCY_2,
    COST_10_DAILY,
    NOW,
    TEAM,
    Json,
    Leader,
    budget,
    outcome,
    session,
    settled,
)

MINE = BudgetKey("a", "mine")
ONE = budget(CONCURRENCY_1)
MINE_10 = budget({**CONCURRENCY_1, "limit": "10"}, name="mine", namespace="a")


def left_by(epoch: int, *attempts: tuple[str, int], **request: object) -> Json:
    """A status that a former leader has left."""
    return {"epoch": epoch, "commits": [{"uid": uid, "attempt": number, "epoch": epoch, **request} for uid, number in attempts]}


def test_nobody_is_admitted_before_the_epoch_stands_in_every_budget_and_then_all_who_asked_are_woken() -> None:
    leader = Leader().begin(ONE, MINE_10)
    assert leader.ask("s") is None
    leader.write(MINE)
    assert leader.ask("s") is None
    assert leader.woken == []
    assert leader.it.ledger.running("s") is None
    leader.write(TEAM)
    assert leader.woken == ["s"]
    assert leader.ask("s") is None, "admitted, and that is being written"
    assert leader.it.ledger.running("s") is not None


def test_every_budget_is_written_at_the_beginning() -> None:
    leader = Leader().begin(ONE, MINE_10)
    assert set(leader.changed) == {TEAM, MINE}
    assert leader.it.urgent(TEAM)
    assert leader.it.urgent(MINE)


def test_what_has_changed_before_the_epoch_stands_is_said_once_and_not_at_every_look() -> None:
    leader = Leader().begin(ONE)
    leader.it.observe(session("s"), NOW)
    leader.changed.clear()
    leader.it.tick(NOW)
    assert leader.changed == []


def test_the_epoch_is_above_that_of_every_budget() -> None:
    leader = Leader({TEAM: {"epoch": 7}, MINE: {"epoch": 3}}).lead(ONE, MINE_10)
    assert leader.cluster[TEAM]["epoch"] == leader.cluster[MINE]["epoch"] == 8


def test_who_no_longer_wants_to_start_is_not_woken_when_the_epoch_stands() -> None:
    leader = Leader().begin(ONE)
    leader.ask("s")
    leader.it.withdraw("s", NOW)
    leader.write()
    assert leader.woken == []


def test_a_budget_that_goes_at_the_beginning_is_not_waited_for() -> None:
    leader = Leader().begin(ONE, MINE_10)
    leader.ask("s")
    leader.write(TEAM)
    leader.it.remove_budget(MINE, NOW)
    assert leader.woken == ["s"]


def test_what_a_former_leader_committed_is_carried_out_with_the_request_it_was_given() -> None:
    day = budget(COST_10_DAILY)
    leader = Leader({TEAM: left_by(4, ("s", 1), cost="9.5")})
    leader.it.observe(session("s"), NOW)
    leader.lead(day)
    assert leader.lists() == [("s", 1)]
    verdict = leader.ask("s")
    assert verdict is not None
    assert (verdict.outcome, verdict.request) == ("Admitted", amounts("9.5"))
    assert outcome(leader.ask("other")) == "BudgetFull", "it is reserved"


def test_a_session_that_asked_before_its_commit_was_carried_out_does_not_wait_for_its_own_room() -> None:
    leader = Leader({TEAM: left_by(4, ("s", 1))})
    leader.it.observe(session("s"), NOW)
    leader.begin(ONE)
    leader.ask("s")
    leader.write()
    assert outcome(leader.ask("s")) == "Admitted"
    assert leader.render()["waiting"] == 0


def test_a_session_whose_commit_is_carried_out_is_woken() -> None:
    leader = Leader({TEAM: left_by(4, ("s", 1))})
    leader.it.observe(session("s"), NOW)
    leader.begin(ONE)
    leader.write()
    assert leader.woken == ["s"]


def test_a_carried_out_commit_leaves_the_status_when_its_pod_is_seen() -> None:
    leader = Leader({TEAM: left_by(4, ("s", 1))})
    leader.it.observe(session("s"), NOW)
    leader.lead(ONE)
    leader.start("s")
    leader.write()
    assert leader.lists() == []
    assert leader.reserved() == 1


def test_a_carried_out_commit_can_be_withdrawn() -> None:
    leader = Leader({TEAM: left_by(4, ("s", 1))})
    leader.it.observe(session("s"), NOW)
    leader.lead(ONE)
    leader.it.withdraw("s", NOW)
    leader.write()
    assert (leader.lists(), leader.reserved()) == ([], 0)


@pytest.mark.parametrize(
    ("known", "team", "mine"),
    [
        (session("s"), [("s", 1)], []),
        (session("s", settled={1: settled()}), [("s", 1)], [("s", 1)]),
        (session("s", running=Running(1, NOW, amounts())), [("s", 1)], [("s", 1)]),
        (session("another"), [("s", 1)], [("s", 1)]),
    ],
    ids=["not listed by all", "settled", "its pod is there", "the session is gone"],
)
def test_what_nobody_can_carry_out_any_more_leaves_the_statuses(known: object, team: list[tuple[str, int]], mine: list[tuple[str, int]]) -> None:
    leader = Leader({TEAM: left_by(4, *team), MINE: left_by(4, *mine)})
    leader.it.observe(known, NOW)  # type: ignore[arg-type]
    leader.begin(ONE, MINE_10)
    leader.write(TEAM)
    assert leader.lists() == [("s", 1)], "as long as another leader may decide, what it has left stands"
    leader.changed.clear()
    leader.write(MINE)
    assert set(leader.changed) == {TEAM, MINE}
    leader.write(TEAM)
    leader.write(MINE)
    assert leader.lists(TEAM) == leader.lists(MINE) == []


def test_an_attempt_that_was_not_listed_by_all_is_admitted_anew() -> None:
    leader = Leader({TEAM: left_by(4, ("s", 1)), MINE: left_by(4)})
    leader.it.observe(session("s"), NOW)
    leader.lead(ONE, MINE_10)
    assert leader.ask("s") is None
    leader.write(TEAM)
    leader.write(MINE)
    assert outcome(leader.ask("s")) == "Admitted"


def test_a_leader_whose_epoch_is_not_the_highest_any_more_ends() -> None:
    leader = Leader().lead(ONE)
    with pytest.raises(Superseded, match="epoch 2 of another controller, this one has 1"):
        leader.it.stands(TEAM, {"epoch": 2}, NOW)


def test_news_from_before_the_epoch_complete_nothing() -> None:
    leader = Leader({TEAM: {"epoch": 4}}).begin(ONE)
    leader.ask("s")
    leader.it.stands(TEAM, {"epoch": 4}, NOW)
    assert leader.woken == []
    assert leader.it.ledger.running("s") is None


def test_a_budget_that_was_restored_with_a_higher_epoch_ends_nobody_and_all_budgets_are_written_with_a_higher_one() -> None:
    # given an admission that is on its way into a budget
    leader = Leader().lead(ONE)
    leader.ask("s")
    answer = leader.render(TEAM)
    leader.changed.clear()
    # when
    leader.cluster[MINE] = {"epoch": 9}
    leader.it.put_budget(MINE_10, NOW, leader.cluster[MINE])
    leader.it.stands(MINE, leader.cluster[MINE], NOW)
    leader.it.stands(TEAM, answer, NOW)
    # then
    assert set(leader.changed) == {TEAM, MINE}
    leader.write(TEAM)
    leader.write(MINE)
    assert leader.cluster[TEAM]["epoch"] == leader.cluster[MINE]["epoch"] == 10
    assert outcome(leader.ask("s")) == "Admitted"


def test_a_budget_that_is_edited_keeps_the_epoch() -> None:
    leader = Leader().lead(ONE)
    leader.it.put_budget(budget(CONCURRENCY_2), NOW, leader.cluster[TEAM])
    leader.write()
    assert leader.cluster[TEAM]["epoch"] == 1


def test_what_a_former_leader_commits_before_the_epoch_stands_is_left_over_too() -> None:
    leader = Leader({TEAM: left_by(4)})
    leader.it.observe(session("s"), NOW)
    leader.begin(ONE)
    # when its last write comes in before our first
    leader.cluster[TEAM] = left_by(4, ("s", 1))
    leader.it.stands(TEAM, leader.cluster[TEAM], NOW)
    leader.write()
    # then
    assert leader.lists() == [("s", 1)]
    assert leader.woken == ["s"]
    assert outcome(leader.ask("s")) == "Admitted"
    assert outcome(leader.ask("other")) == "BudgetFull", "it is reserved"


def test_what_a_former_leader_takes_back_before_the_epoch_stands_is_not_left_over() -> None:
    leader = Leader({TEAM: left_by(4, ("s", 1))})
    leader.it.observe(session("s"), NOW)
    leader.begin(ONE)
    leader.cluster[TEAM] = left_by(4)
    leader.it.stands(TEAM, leader.cluster[TEAM], NOW)
    leader.write()
    assert (leader.lists(), leader.reserved(), leader.woken) == ([], 0, [])


def test_news_of_a_former_leader_change_nothing_in_a_budget_that_holds_the_epoch() -> None:
    leader = Leader({TEAM: left_by(4), MINE: left_by(4)}).begin(ONE, MINE_10)
    leader.write(TEAM)
    leader.it.stands(TEAM, left_by(4, ("s", 1)), NOW)
    assert leader.render(TEAM)["commits"] == []
