"""Commits: one write at a time, nothing created before all budgets list it, and what a new leader makes of what is left."""

import pytest

from stint.api.budget import COMMITS
from stint.budgets.amounts import NOTHING, amounts
from stint.budgets.budget import BudgetKey
from stint.budgets.commits import Attempt, Commit, Commits, left_over, next_epoch, read_commits

TEAM, ALL = BudgetKey("a", "team"), BudgetKey("stint-system", "all")


def commit(uid: str, number: int = 1, epoch: int = 1) -> Commit:
    return Commit(Attempt(uid, number), epoch, amounts("1.5", 200))


def uids(commits: object) -> list[str]:
    return [each.attempt.uid for each in commits or ()]  # type: ignore[attr-defined]


def test_a_commit_comes_back_from_the_status_as_it_was() -> None:
    given = (commit("a"), Commit(Attempt("b", 3), 7, NOTHING))
    assert read_commits({"commits": [each.document() for each in given]}) == given
    assert given[0].document() == {"uid": "a", "attempt": 1, "epoch": 1, "cost": "1.5", "tokens": 200}
    assert read_commits({}) == ()


def test_a_new_epoch_is_higher_than_all_that_were() -> None:
    assert next_epoch([{"epoch": 3}, {}, {"epoch": 7}]) == 8
    assert next_epoch([]) == 1


def test_what_is_admitted_during_a_write_goes_with_the_next() -> None:
    commits = Commits()
    commits.add(commit("1"), [TEAM])
    commits.add(commit("2"), [TEAM])
    assert uids(commits.next_batch(TEAM)) == ["1", "2"]
    commits.add(commit("3"), [TEAM])
    assert commits.next_batch(TEAM) is None, "one write at a time"
    assert uids(commits.content(TEAM)) == ["1", "2"]

    assert uids(commits.written(TEAM)) == ["1", "2"]
    assert uids(commits.next_batch(TEAM)) == ["1", "2", "3"]
    assert uids(commits.written(TEAM)) == ["3"]
    assert commits.next_batch(TEAM) is None, "nothing new"


def test_a_pod_may_be_created_when_all_budgets_list_it() -> None:
    commits = Commits()
    assert commits.add(commit("free"), [])
    assert not commits.add(commit("1"), [TEAM, ALL])
    commits.next_batch(TEAM)
    assert commits.written(TEAM) == []
    commits.next_batch(ALL)
    assert uids(commits.written(ALL)) == ["1"]


def test_a_failed_write_is_tried_again_in_the_same_order() -> None:
    commits = Commits()
    commits.add(commit("1"), [TEAM])
    commits.next_batch(TEAM)
    commits.add(commit("2"), [TEAM])
    commits.failed(TEAM)
    assert commits.content(TEAM) == ()
    assert uids(commits.next_batch(TEAM)) == ["1", "2"]


@pytest.mark.parametrize("when", ["waiting", "in flight", "listed"])
def test_what_is_dropped_is_neither_written_again_nor_carried_out(when: str) -> None:
    commits = Commits()
    commits.add(commit("1"), [TEAM])
    if when != "waiting":
        commits.next_batch(TEAM)
    if when == "listed":
        commits.written(TEAM)
    commits.drop(Attempt("1", 1))
    assert commits.content(TEAM) == ()
    if when == "in flight":
        assert commits.written(TEAM) == []
    assert commits.next_batch(TEAM) is None


@pytest.mark.parametrize("when", ["waiting", "in flight", "listed"])
def test_the_budgets_that_have_held_what_is_dropped_need_a_write(when: str) -> None:
    commits = Commits()
    commits.add(commit("1"), [TEAM])
    commits.add(commit("2"), [ALL])
    if when != "waiting":
        commits.next_batch(TEAM)
    if when == "listed":
        commits.written(TEAM)
    assert commits.drop(Attempt("1", 1)) == [TEAM]
    assert commits.drop(Attempt("1", 1)) == []


def test_no_more_are_listed_than_the_status_holds() -> None:
    commits = Commits()
    for number in range(COMMITS + 10):
        commits.add(commit(str(number)), [TEAM])
    assert len(commits.next_batch(TEAM) or ()) == COMMITS
    commits.written(TEAM)
    assert commits.next_batch(TEAM) is None
    for number in range(4):
        commits.drop(Attempt(str(number), 1))
    assert uids(commits.next_batch(TEAM))[-4:] == [str(COMMITS + number) for number in range(4)]


def test_a_budget_that_is_gone_keeps_nobody_waiting() -> None:
    commits = Commits()
    commits.add(commit("1"), [TEAM, ALL])
    commits.add(commit("2"), [TEAM])
    commits.next_batch(ALL)
    commits.written(ALL)
    assert uids(commits.remove_budget(TEAM)) == ["1", "2"]


def test_a_new_leader_goes_on_with_what_was_listed() -> None:
    commits = Commits()
    commits.inherit(TEAM, [commit("1")])
    commits.add(commit("2", epoch=2), [TEAM])
    assert uids(commits.next_batch(TEAM)) == ["1", "2"]


@pytest.mark.parametrize(
    ("listed", "next_attempt", "carried_out"),
    [
        ({TEAM: [commit("s", 2)], ALL: [commit("s", 2)]}, 2, True),
        ({TEAM: [commit("s", 2)], ALL: []}, 2, False),
        ({TEAM: [commit("s", 2)], ALL: [commit("s", 1)]}, 2, False),
        ({TEAM: [commit("s", 2)], ALL: [commit("s", 2)]}, 3, False),
        ({TEAM: [commit("s", 2)], ALL: [commit("s", 2)]}, None, False),
    ],
    ids=["listed by all", "not listed by one", "another attempt there", "settled already", "nothing is to start"],
)
def test_left_over_commits(listed: dict[BudgetKey, list[Commit]], next_attempt: int | None, carried_out: bool) -> None:
    found = left_over(listed, lambda uid: next_attempt, lambda uid: [TEAM, ALL])
    assert (commit("s", 2) in found.carry_out) is carried_out
    assert (commit("s", 2) in found.drop) is not carried_out
