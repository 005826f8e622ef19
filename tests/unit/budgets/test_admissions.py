"""Admissions: nothing starts before all its budgets list it, one leader follows another without a loss, and who waits is woken in time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from stint.budgets.admissions import Admissions, Superseded
from stint.budgets.amounts import Amounts, amounts
from stint.budgets.budget import Budget, BudgetKey
from stint.budgets.facts import Running, Settled
from stint.budgets.verdict import FREE, Verdict
from unit.budgets.kit import CONCURRENCY_1, CONCURRENCY_2, COST_10_DAILY, COST_10_HOUR, NOW, SYSTEM, after, budget, session, settled, waiter

Json = dict[str, Any]
TEAM, MINE = BudgetKey(SYSTEM, "team"), BudgetKey("a", "mine")
ONE = budget(CONCURRENCY_1)
MINE_10 = budget({**CONCURRENCY_1, "limit": "10"}, name="mine", namespace="a")


class Leader:
    """Admissions, and the statuses that the cluster holds."""

    def __init__(self, statuses: dict[BudgetKey, Json] | None = None) -> None:
        self.woken: list[str] = []
        self.changed: list[BudgetKey] = []
        self.cluster: dict[BudgetKey, Json] = statuses if statuses is not None else {}
        self.it = Admissions(SYSTEM, self.woken.append, self.changed.append)

    def begin(self, *budgets: Budget) -> Leader:
        for each in budgets:
            self.it.put_budget(each, NOW, self.cluster.get(each.key, {}))
        self.it.begin({each.key: self.cluster.get(each.key, {}) for each in budgets})
        return self

    def lead(self, *budgets: Budget) -> Leader:
        """Begin, and write the epoch into every budget."""
        self.begin(*budgets)
        for each in budgets:
            self.write(each.key)
        self.woken.clear()
        self.changed.clear()
        return self

    def render(self, key: BudgetKey = TEAM, now: datetime = NOW) -> Json:
        return self.it.status(key, self.cluster.get(key, {}), 1, now)

    def write(self, key: BudgetKey = TEAM, now: datetime = NOW) -> None:
        """The status gets to the cluster, and the answer comes."""
        self.cluster[key] = self.render(key, now)
        self.it.stands(key, self.cluster[key], now)

    def lists(self, key: BudgetKey = TEAM) -> list[tuple[str, int]]:
        return [(commit["uid"], commit["attempt"]) for commit in self.cluster[key]["commits"]]

    def ask(self, uid: str, namespace: str = "a", *, now: datetime = NOW, attempt: int = 1, left: Amounts | None = None) -> Verdict | None:
        if uid not in self.it.ledger:
            self.it.observe(session(uid, namespace), now)
        return self.it.ask(waiter(uid, namespace, attempt=attempt, left=left or Amounts()), now)

    def start(self, uid: str, namespace: str = "a", attempt: int = 1) -> None:
        """Its pod is seen."""
        running = self.it.ledger.running(uid)
        self.it.observe(session(uid, namespace, running=Running(attempt, NOW, running.request if running else Amounts())), NOW)

    def end(self, uid: str, attempt: int = 1, cost: str = "0", now: datetime = NOW) -> None:
        self.it.observe(session(uid, settled={attempt: Settled(NOW, now, amounts(cost, 0, 0, 0))}), now)

    def reserved(self, key: BudgetKey = TEAM) -> int:
        return int(sum(meter.reserved for account in self.it.ledger.accounts(key) for meter in account.meters))


def outcome(verdict: Verdict | None) -> str:
    return "not yet" if verdict is None else verdict.outcome


# One leader


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
