"""Where sessions and budgets meet: whom the desk knows, what it tells the budgets, and whom it wakes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json
from stint.budgets.budget import Budget, BudgetKey
from stint.budgets.verdict import FREE, Verdict
from stint.engine.keys import Key
from stint.sessions.desk import Desk
from stint.sessions.observed import Observed
from unit.budgets.kit import CONCURRENCY_1, COST_10_DAILY, TEAM, budget, outcome
from unit.sessions.builders import NAMESPACE, NOW, UID, attempt, observed, running_pod, session, status

OTHER = "uid-of-other"
ONE = budget(CONCURRENCY_1)
DAY = budget(COST_10_DAILY)
LABELLED = budget(CONCURRENCY_1, selector={"namespaces": {"matchLabels": {"tier": "gold"}}})


def seen(uid: str = UID, name: str = "fix-test", **more: Any) -> Observed:
    return observed(session(more.pop("spec", None), more.pop("status", None), name=name, uid=uid), **more)


class Office:
    """A desk, and what it has said."""

    def __init__(self) -> None:
        self.looks: list[Key] = []
        self.published: list[BudgetKey] = []
        self.now: datetime = NOW
        self.desk = Desk("stint-system", self.looks.append, self.published.append, lambda: self.now)

    def open(self, *budgets: Budget, sessions: tuple[Observed, ...] = ()) -> Desk:
        """Begin, and let every budget hold the epoch."""
        self.desk.begin(sessions, [(each, {}) for each in budgets])
        for each in budgets:
            self.write(each.key)
        return self.desk

    def write(self, key: BudgetKey = TEAM) -> None:
        self.desk.admissions.stands(key, self.desk.admissions.status(key, {}, 1, self.now), self.now)

    def ask(self, one: Observed) -> Verdict | None:
        self.desk.observe(one)
        return self.desk.ask(one)

    def reserved(self) -> list[int]:
        return [int(meter.reserved) for account in self.desk.admissions.ledger.accounts(TEAM) for meter in account.meters]

    def spent(self) -> list[str]:
        at = self.now.timestamp()
        return [str(meter.spent_at(at)) for account in self.desk.admissions.ledger.accounts(TEAM) for meter in account.meters]


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_desk_is_closed_until_there_is_a_budget(office: Office) -> None:
    assert not office.desk.open
    office.open(ONE)
    assert office.desk.open
    assert office.published[0] == TEAM


def test_what_runs_when_the_desk_opens_is_counted(office: Office) -> None:
    office.open(ONE, sessions=(seen(pods=[running_pod()]),))
    assert office.reserved() == [1]
    assert outcome(office.ask(seen(OTHER, "other"))) == "BudgetFull"


def test_what_was_used_before_the_desk_opens_is_spent(office: Office) -> None:
    before = status(history=[attempt(1, "Suspended", "Suspended", **pod_status.counts("9.5"))], usage=pod_status.counts("9.5"))
    office.open(DAY, sessions=(seen(status=before),))
    assert office.spent() == ["9.5"]
    assert outcome(office.ask(seen(OTHER, "other"))) == "BudgetFull"


def test_a_session_that_no_budget_counts_starts_freely(office: Office) -> None:
    office.open(budget(CONCURRENCY_1, namespace="elsewhere"))
    assert office.ask(seen()) == FREE


def test_the_labels_of_its_namespace_decide_which_budgets_count_a_session(office: Office) -> None:
    office.open(LABELLED)
    assert office.ask(seen()) == FREE
    office.desk.namespaces[NAMESPACE] = {"tier": "gold"}
    assert office.ask(seen()) is None
    office.write()
    assert outcome(office.ask(seen())) == "Admitted"
    assert outcome(office.ask(seen(OTHER, "other"))) == "BudgetFull"


def test_a_session_is_looked_at_again_under_its_own_name(office: Office) -> None:
    office.open(ONE)
    office.ask(seen())
    office.write()
    assert office.looks == [Key("AgentSession", NAMESPACE, "fix-test")]


def test_a_session_that_is_gone_is_not_looked_at_and_its_room_is_free(office: Office) -> None:
    office.open(ONE)
    office.ask(seen())
    office.ask(seen(OTHER, "other"))
    office.desk.gone(UID)
    assert office.reserved() == [1]
    office.write()
    assert {key.name for key in office.looks} == {"other"}
    assert UID not in office.desk.admissions.ledger
    office.desk.gone(UID)  # told twice


def test_an_attempt_that_a_write_of_ours_has_settled_frees_its_room_before_any_watch_tells(office: Office) -> None:
    office.open(ONE, sessions=(seen(pods=[running_pod()]),))
    office.ask(seen(OTHER, "other"))
    after = status(history=[attempt(1, **pod_status.counts("0.5"))], usage=pod_status.counts("0.5"))
    office.desk.written(session(status=after))
    office.write()
    assert office.looks[-1].name == "other"
    assert outcome(office.ask(seen(OTHER, "other"))) == "Admitted"


def test_a_write_that_settles_nothing_keeps_the_reservation(office: Office) -> None:
    office.open(ONE, sessions=(seen(pods=[running_pod()]),))
    office.desk.written(session(status=status(attempt=1, podName="fix-test-1")))
    assert office.reserved() == [1]


def test_a_write_to_a_session_that_is_gone_brings_it_not_back(office: Office) -> None:
    office.open(ONE)
    office.desk.written(session(status=status(history=[attempt(1)])))
    assert UID not in office.desk.admissions.ledger


@pytest.mark.parametrize(("pods", "left"), [((), [0]), ((running_pod(),), [1])], ids=["no pod", "a pod"])
def test_a_session_that_is_not_to_start_gives_its_room_back_unless_it_has_a_pod(office: Office, pods: tuple[Json, ...], left: list[int]) -> None:
    office.open(ONE)
    office.ask(seen())
    office.write()
    office.desk.withdraw(seen(pods=pods))
    assert office.reserved() == left


def test_a_session_asks_for_what_it_names_itself(office: Office) -> None:
    office.open(DAY)
    office.ask(seen(spec={"limits": {"cost": "2.5"}}))
    office.write()
    verdict = office.ask(seen(spec={"limits": {"cost": "2.5"}}))
    assert verdict is not None
    assert str(verdict.request.cost) == "2.5"
