"""What the ledger sets aside for an attempt, what it counts when the attempt is settled, and that it counts nothing twice."""

from decimal import Decimal
from typing import Any

import pytest

from stint.budgets.amounts import NOTHING, amounts
from stint.budgets.budget import Budget
from stint.budgets.facts import Running, Settled
from stint.budgets.ledger import NotAdmissible
from unit.budgets.kit import (
    BUSY,
    CONCURRENCY_1,
    CONCURRENCY_2,
    COST_10_DAILY,
    DAY,
    NOW,
    STARTS,
    TOKENS_1000_HOUR,
    Bench,
    after,
    budget,
    session,
    settled,
    used,
)  # fmt: skip

# What is asked for


@pytest.mark.parametrize(
    ("left", "budgets", "request_"),
    [
        (NOTHING, [budget(COST_10_DAILY)], amounts("1")),
        (amounts("2.5"), [budget(COST_10_DAILY)], amounts("2.5")),
        (amounts(tokens=7), [budget(COST_10_DAILY)], amounts("1", 7)),
        (NOTHING, [budget(CONCURRENCY_1)], NOTHING),
        (NOTHING, [budget(COST_10_DAILY), budget(COST_10_DAILY, name="small", reserve={"cost": "0.25"})], amounts("0.25")),
        (NOTHING, [budget(COST_10_DAILY), budget(CONCURRENCY_1, name="small", reserve={"cost": "0.25"})], amounts("1")),
        (NOTHING, [budget(TOKENS_1000_HOUR, {"name": "out", "resource": "outputTokens", "limit": "500", "window": "1h"})], amounts(None, 100, None, 20)),
        (amounts(tokens=5), [budget({"name": "out", "resource": "outputTokens", "limit": "500", "window": "1h"})], amounts(None, 5, None, 5)),
    ],
    ids=[
        "the reserve", "what the session leaves", "a limit of the session that no budget has", "nothing that is paid for", "the smallest reserve",
        "no reserve of a budget that does not limit it", "each resource by itself", "no more output than all tokens",
    ],
)  # fmt: skip
def test_a_request_is_what_the_session_leaves_else_the_smallest_reserve(left: Any, budgets: list[Budget], request_: Any) -> None:
    assert Bench(*budgets).admit("s", left=left).request == request_


# Reserving and settling


def test_an_admitted_attempt_is_reserved_and_a_settled_one_spent() -> None:
    bench = Bench(budget(COST_10_DAILY, CONCURRENCY_2, TOKENS_1000_HOUR))

    assert bench.admit("s", left=amounts("3", 200)).admitted
    assert bench.sums() == {DAY: (0, 3), BUSY: (0, 1), ("team", "shared", "tokens"): (0, 200)}

    bench.ledger.settle("s", 1, Settled(NOW, after(60), used("1.25", 90)), after(60))
    assert bench.sums(after(60)) == {DAY: (Decimal("1.25"), 0), ("team", "shared", "tokens"): (90, 0)}


@pytest.mark.parametrize(("asked", "admitted"), [("4", True), ("4.000000001", False)])
def test_spent_and_reserved_and_request_are_at_most_the_limit(asked: str, admitted: bool) -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.ledger.observe(session("old", settled={1: settled("3")}), after(60))
    bench.admit("running", left=amounts("3"), now=after(60))

    verdict = bench.admit("s", left=amounts(asked), now=after(60))

    assert verdict.admitted is admitted
    assert admitted or verdict.until == after(14 * 3600), "at midnight"


def test_every_account_must_have_room() -> None:
    bench = Bench(budget(COST_10_DAILY), budget(CONCURRENCY_1, name="mine", namespace="a"))
    assert bench.admit("s1").admitted
    assert bench.admit("other", "b").admitted
    refused = bench.admit("s2")
    assert [shortage.budget.name for shortage in refused.shortages] == ["mine"]
    assert bench.sums()[DAY] == (0, 2), "nothing is reserved anywhere for a session that is refused"


def test_each_value_of_per_has_an_account_of_its_own() -> None:
    bench = Bench(budget(CONCURRENCY_1, per=["Namespace", "User"]))
    assert bench.admit("1", "a", user="alice").admitted
    assert bench.admit("2", "a", user="bob").admitted
    assert bench.admit("3", "b", user="alice").admitted
    assert not bench.admit("4", "a", user="alice").admitted


def test_asking_again_for_an_admitted_attempt_changes_nothing() -> None:
    bench = Bench(budget(COST_10_DAILY))
    first = bench.admit("s", left=amounts("3"))
    again = bench.admit("s", left=amounts("9"), now=after(5))
    assert again.request == first.request
    assert bench.sums() == {DAY: (0, 3)}


def test_what_cannot_be_admitted_raises() -> None:
    bench = Bench(budget(COST_10_DAILY))
    with pytest.raises(NotAdmissible, match="not known"):
        bench.ledger.admit("s", 1, NOTHING, NOW)
    bench.admit("s")
    with pytest.raises(NotAdmissible, match="another one runs"):
        bench.ledger.admit("s", 2, NOTHING, NOW)
    bench.end("s")
    with pytest.raises(NotAdmissible, match="has ended"):
        bench.ledger.admit("s", 1, NOTHING, NOW)


def test_a_question_has_no_effect() -> None:
    bench = Bench(budget(COST_10_DAILY, per=["Namespace"]))
    bench.known("s")
    for _ in range(3):
        assert bench.ledger.ask("s", amounts("10"), NOW).admitted
    assert bench.sums() == {}
    assert [account.name for account in bench.ledger.accounts(budget().key)] == ["Namespace=a"]


def test_a_released_attempt_was_never_there() -> None:
    bench = Bench(budget(COST_10_DAILY, CONCURRENCY_1, STARTS))
    bench.admit("s")
    bench.ledger.release("s", 1)
    bench.ledger.release("s", 1)
    bench.ledger.release("unknown", 1)
    assert bench.sums() == {}
    assert bench.admit("s", attempt=1).admitted


# Exactly once


def test_settling_twice_counts_once_and_better_figures_replace_the_first() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.admit("s", left=amounts("3"))
    for cost in ("3", "3", "1.5"):
        bench.ledger.settle("s", 1, Settled(NOW, after(60), used(cost)), after(60))
    assert bench.sums(after(60)) == {DAY: (Decimal("1.5"), 0)}


def test_seeing_a_session_again_changes_nothing() -> None:
    bench = Bench(budget(COST_10_DAILY, CONCURRENCY_2, STARTS))
    seen = session("s", running=Running(2, after(100), amounts("2")), settled={1: settled("3")})
    for _ in range(3):
        bench.ledger.observe(seen, after(200))
    assert bench.sums(after(200)) == {DAY: (3, 2), BUSY: (0, 1), ("team", "shared", "starts"): (2, 0)}


def test_an_admission_whose_pod_nobody_has_seen_survives_an_older_look_at_the_session() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.admit("s", left=amounts("3"), attempt=2)
    bench.known("s", settled={1: settled("1", end=0)})
    assert bench.sums() == {DAY: (1, 3)}
    bench.known("s", settled={1: settled("1", end=0)}, running=Running(1, NOW, amounts("9")))
    assert bench.sums() == {DAY: (1, 3)}


def test_a_settled_attempt_is_not_reserved_even_if_its_pod_is_still_there() -> None:
    bench = Bench(budget(COST_10_DAILY))
    bench.known("s", settled={1: settled("1", end=0)}, running=Running(1, NOW, amounts("9")))
    assert bench.sums() == {DAY: (1, 0)}
