"""What budgets say of themselves: accounts, conditions, warnings, and whom they stop."""

from typing import Any

import pytest

from stint.api.budget import ACCOUNTS, BudgetStatus
from stint.budgets.amounts import amounts
from stint.budgets.published import next_change, published
from stint.budgets.spent_out import spent_out
from stint.budgets.warnings import crossings
from unit.budgets.kit import CONCURRENCY_1, CONCURRENCY_2, COST_10_DAILY, COST_10_HOUR, NOW, Bench, after, budget, settled

RATE = {"name": "rate", "resource": "sessions", "limit": "6", "window": "1m"}


def status(bench: Bench, old: dict[str, Any] | None = None, seconds: float = 0, **more: Any) -> dict[str, Any]:
    (found,) = bench.ledger.budgets()
    given = {"waiting": 0, "generation": 1, **more}
    return published(found, bench.ledger.accounts(found.key), old=old or {}, now=after(seconds), **given)


def condition(found: dict[str, Any], kind: str) -> dict[str, Any]:
    (one,) = [each for each in found["conditions"] if each["type"] == kind]
    return one  # type: ignore[no-any-return]


def test_a_status_shows_what_is_spent_and_reserved_and_when_it_becomes_less() -> None:
    bench = Bench(budget(COST_10_HOUR, CONCURRENCY_2, per=["Namespace"], warnAtPercent=[50]))
    bench.known("old", settled={1: settled("5.50", end=0)})
    bench.admit("s", left=amounts("2"))

    found = status(bench, waiting=3, generation=7)

    assert found["accounts"] == [
        {
            "key": "Namespace=a",
            "limits": [
                {"name": "hour", "spent": "5.5", "reserved": "2", "limit": "10", "resetsAt": "2026-11-21T11:01:00Z", "warnedAtPercent": 50},
                {"name": "busy", "spent": "0", "reserved": "1", "limit": "2", "warnedAtPercent": 50},
            ],
        }
    ]
    assert (found["accountCount"], found["waiting"], found["observedGeneration"]) == (1, 3, 7)
    assert BudgetStatus.read(found).dump() == {**found, "epoch": 0, "commits": []}


def test_only_the_fullest_accounts_are_shown_but_all_are_counted() -> None:
    bench = Bench(budget({**COST_10_DAILY, "limit": "100"}, per=["User"]))
    for number in range(ACCOUNTS + 20):
        bench.admit(str(number), user=f"user-{number}", left=amounts(str(number + 1)))
    found = status(bench)
    assert found["accountCount"] == ACCOUNTS + 20
    assert [account["key"] for account in found["accounts"]] == [f"User=user-{number}" for number in range(ACCOUNTS + 19, 19, -1)]


@pytest.mark.parametrize("limit", [CONCURRENCY_1, {**COST_10_DAILY, "limit": "1"}, RATE], ids=["concurrency", "cost", "rate"])
def test_a_budget_is_exhausted_when_an_account_has_reached_a_limit(limit: dict[str, Any]) -> None:
    bench = Bench(budget(limit, per=["Namespace"]))
    before = status(bench)
    assert (condition(before, "Exhausted")["status"], condition(before, "Exhausted")["reason"]) == ("False", "RoomLeft")
    bench.admit("s")
    full = condition(status(bench, before, 1), "Exhausted")
    assert (full["status"], full["reason"], full["message"]) == ("True", "LimitReached", "a limit is reached in account Namespace=a")
    assert full["lastTransitionTime"] == "2026-11-21T10:00:01Z"


def test_a_budget_counts_unless_a_person_has_to_act() -> None:
    assert condition(status(Bench(budget(CONCURRENCY_1))), "Ready")["reason"] == "Counting"
    broken = status(Bench(budget({**COST_10_DAILY, "timeZone": "Mars/Olympus"})))
    assert (condition(broken, "Ready")["status"], condition(broken, "Stalled")["reason"]) == ("False", "UnknownTimeZone")


def test_nothing_new_gives_the_same_status() -> None:
    bench = Bench(budget(COST_10_HOUR))
    bench.admit("s")
    first = status(bench)
    assert status(bench, first, 30) == first


# When time alone changes it


def test_a_status_is_out_of_date_when_the_first_usage_leaves_its_window() -> None:
    bench = Bench(budget(COST_10_HOUR, COST_10_DAILY, per=["Namespace"]))
    assert next_change(bench.ledger.accounts(budget().key), NOW) is None
    bench.known("1", "a", settled={1: settled("1", start=-1800, end=-1800)})
    bench.known("2", "b", settled={1: settled("1", end=0)})
    accounts = list(bench.ledger.accounts(budget().key))
    assert next_change(accounts, NOW) == after(1860)
    assert next_change(accounts, after(1860)) == after(3660)
    assert next_change(accounts, after(3660)) == after(14 * 3600), "the day ends"


def test_a_status_is_out_of_date_when_the_next_start_is_due() -> None:
    bench = Bench(budget(RATE))
    before = status(bench)
    bench.admit("s")
    full = status(bench, before)
    accounts = list(bench.ledger.accounts(budget().key))
    assert condition(full, "Exhausted")["status"] == "True"
    assert next_change(accounts, NOW) == after(10)
    assert condition(status(bench, full, 10), "Exhausted")["status"] == "False"
    assert next_change(accounts, after(10)) == after(61), "then it leaves the window"


# Warnings


def messages(bench: Bench, warned: dict[str, int], seconds: float = 0) -> list[str]:
    return [event.message for event in crossings(bench.account(), warned, after(seconds))]


def test_each_percentage_is_warned_of_once_and_again_after_it_was_left() -> None:
    bench = Bench(budget(COST_10_HOUR, warnAtPercent=[95, 80]))
    bench.known("1", settled={1: settled("7.9", end=0)})
    assert messages(bench, {}) == []
    bench.known("2", settled={1: settled("0.1", end=0)})
    assert messages(bench, {}) == ["account shared: 80 % of limit hour used, 8 of 10 USD; it becomes less at 2026-11-21T11:01:00Z"]
    assert messages(bench, {"hour": 80}) == []
    bench.known("3", settled={1: settled("2", end=0)})
    assert messages(bench, {"hour": 80}) == ["account shared: 100 % of limit hour used, 10 of 10 USD; it becomes less at 2026-11-21T11:01:00Z"]
    assert messages(bench, {}, 3_660) == []


def test_what_is_only_reserved_is_no_reason_to_warn_but_for_concurrency() -> None:
    bench = Bench(budget(COST_10_HOUR, CONCURRENCY_1, warnAtPercent=[80]))
    bench.admit("s", left=amounts("10"))
    assert messages(bench, {}) == ["account shared: 100 % of limit busy used, 1 of 1 running sessions"]


# What is stopped


@pytest.mark.parametrize("action", ["Continue", "Suspend", "Stop"])
def test_running_sessions_are_stopped_once_a_limit_is_spent(action: str) -> None:
    bench = Bench(budget(COST_10_HOUR, {**RATE, "limit": "9", "burst": 9}, per=["Namespace"], whenSpent=action))
    bench.admit("1", "a", left=amounts("5"))
    bench.admit("2", "a", left=amounts("5"))
    bench.admit("other", "b")
    accounts = list(bench.ledger.accounts(budget().key))
    assert spent_out(accounts, NOW) == [], "all is reserved, nothing is spent"

    bench.end("1", "11")

    found = spent_out(accounts, NOW)
    assert [(each.account, each.limit, each.action, set(each.running)) for each in found] == (
        [] if action == "Continue" else [("Namespace=a", "hour", action, {"2"})]
    )
    assert all(each.until == after(3660) for each in found)
    assert spent_out(accounts, after(3660)) == []
