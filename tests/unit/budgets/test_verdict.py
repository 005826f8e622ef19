"""The sentences of a shortage: what is short, for whom, how much, and until when."""

from dataclasses import replace
from decimal import Decimal

import pytest

from stint.budgets.amounts import NOTHING
from stint.budgets.budget import BudgetKey
from stint.budgets.verdict import Shortage, Verdict, sentence
from unit.budgets.kit import after

COST = Shortage(
    budget=BudgetKey("stint-system", "team"), at_limit="Reject", account="Namespace=a", limit="day", resource="cost", amount=Decimal("50.00"),
    spent=Decimal("45.10"), reserved=Decimal(4), need=Decimal(1), until=after(60), exceeds=False, spread=False,
)  # fmt: skip
WHERE = "budget stint-system/team, account Namespace=a, limit "


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        (COST, "day: 0.9 of 50 USD left (45.1 spent, 4 reserved), 1 needed; there is room at 2026-11-21T10:01:00Z"),
        (replace(COST, until=None), "day: 0.9 of 50 USD left (45.1 spent, 4 reserved), 1 needed; there is room when running sessions have ended"),
        (replace(COST, spent=Decimal(60)), "day: 0 of 50 USD left (60 spent, 4 reserved), 1 needed; there is room at 2026-11-21T10:01:00Z"),
        (
            replace(COST, exceeds=True, need=Decimal(60), until=None),
            "day: the session asks for 60 USD, which is more than the whole limit of 50; lower the limits of the session, or raise the budget's",
        ),
        (
            replace(COST, limit="busy", resource="concurrency", amount=Decimal(20), spent=Decimal(0), reserved=Decimal(20), until=None),
            "busy: 20 of 20 running sessions; there is room when running sessions have ended",
        ),
        (
            replace(COST, limit="rate", resource="sessions", amount=Decimal(60), spread=True),
            "rate: starts are spread over time, 60 per window; there is room at 2026-11-21T10:01:00Z",
        ),
        (
            replace(COST, limit="tokens", resource="outputTokens", amount=Decimal(10**15), spent=Decimal(10**15), reserved=Decimal(0)),
            "tokens: 0 of 1000000000000000 tokens of output left (1000000000000000 spent, 0 reserved), 1 needed; there is room at 2026-11-21T10:01:00Z",
        ),
    ],
)  # fmt: skip
def test_a_sentence_says_what_is_short_and_until_when(short: Shortage, expected: str) -> None:
    assert sentence(short) == WHERE + expected


def test_the_shortage_that_takes_longest_decides() -> None:
    later, unknown = replace(COST, limit="later", until=after(90)), replace(COST, limit="unknown", until=None)
    assert Verdict("BudgetFull", NOTHING, (COST, later)).until == after(90)
    assert Verdict("BudgetFull", NOTHING, (COST, unknown, later)).decisive is unknown


def test_an_admitted_attempt_has_nothing_to_say() -> None:
    assert (Verdict("Admitted", NOTHING).message, Verdict("Admitted", NOTHING).until) == ("", None)
