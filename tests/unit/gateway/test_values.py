"""Prices, limits and totals: the pure arithmetic of the account."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stint.gateway.limit import Limits, reached
from stint.gateway.prices import Price, PriceTable, UnknownModels, cost
from stint.gateway.usage import MAX_MODELS, OTHER, Charge, Metered, Part, Tally, Tokens, Usage, known_as

D = Decimal
CHEAP = Price(D("1"), D("5"), D("0.1"), D("1.25"), D("2"))
DEAR = Price(D("5"), D("4"), D("0.5"), D("6.25"), D("10"), web_search=D("20"))


def table(unknown: UnknownModels = "CountAsDearest", **prices: Price) -> PriceTable:
    return PriceTable({name.replace("_", "-"): price for name, price in prices.items()}, unknown)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("claude-x", "claude-x"),
        ("claude-x-20260101", "claude-x"),
        ("claude-x@20260101", "claude-x"),
        ("claude-x-latest", "claude-x"),
        ("claude-x-20260101-v1:0", "claude-x"),
        ("claude-x-v2", "claude-x"),
        ("claude-x-5", "claude-x-5"),
        ("claude-x-5-20260101", "claude-x-5"),
        ("claude-x-20250101", "claude-x-20250101"),
        ("claude-x-20250101-v1:0", "claude-x-20250101"),
        # A version, a variant or half a date is another model.
        ("claude-x-6", None),
        ("claude-x-mini", None),
        ("claude-x-2026010", None),
        ("claude-xy", None),
        ("claude", None),
        ("my-claude-x", None),
    ],
)
def test_a_price_belongs_to_its_model_and_to_dated_forms_of_it(model: str, found: str | None) -> None:
    names = ("claude-x", "claude-x-5", "claude-x-20250101")
    prices = {name: Price(D(place), D(0), D(0), D(0), D(0)) for place, name in enumerate(names)}
    assert PriceTable(prices, "Refuse").find(model) is (prices[found] if found else None)


def test_the_dearest_price_is_the_highest_of_each_kind() -> None:
    assert table(a=CHEAP, b=DEAR).dearest() == Price(D("5"), D("5"), D("0.5"), D("6.25"), D("10"), D("20"))
    assert cost(Tokens(1, 1, 1, 1, 1, 1), table().dearest()) == 0


def test_the_model_that_answered_is_priced_then_the_one_asked_for_then_the_dearest() -> None:
    prices = table(a=CHEAP, b=DEAR)
    assert prices.price_of("a", "b") is CHEAP
    assert prices.price_of("unknown", "b") is DEAR
    assert prices.price_of(None, "a") is CHEAP
    assert prices.price_of("unknown", "unknown too") == prices.dearest()


def test_every_kind_of_token_has_its_own_price_and_no_cent_is_lost() -> None:
    price = Price(D("5"), D("25"), D("0.5"), D("6.25"), D("10"))
    tokens = Tokens(input=1, output=10, cache_read=100, cache_write_5m=1000, cache_write_1h=10000, web_searches=3)
    assert cost(tokens, price) == D("0.000005") + D("0.00025") + D("0.00005") + D("0.00625") + D("0.1") + D("0.03")
    assert cost(Tokens(input=5576, output=210), price) == D("0.033130")
    assert sum(cost(Tokens(input=1), Price(D("0.1"), *[D(0)] * 4)) for _ in range(10)) == D("0.000001")


def test_each_part_is_charged_at_its_own_models_price() -> None:
    metered = Metered((Part("a", Tokens(input=1_000_000)), Part("b", Tokens(input=1_000_000)), Part(None, Tokens(output=1_000_000))))
    charges = table(a=CHEAP, b=DEAR).charge(metered, "a")
    assert [(charge.model, charge.cost) for charge in charges] == [("a", D(1)), ("b", D(5)), ("a", D(5))]


@pytest.mark.parametrize(
    ("used", "limits", "resource"),
    [
        (Tally(cost=D("1.249999")), Limits(cost=D("1.25")), None),
        (Tally(cost=D("1.25")), Limits(cost=D("1.25")), "cost"),
        (Tally(cost=D("99")), Limits(), None),
        (Tally(), Limits(cost=D(0)), "cost"),
        (Tally(), Limits(tokens=0), "tokens"),
        (Tally(input=1, output=2, cache_read=3, cache_write=3), Limits(tokens=10), None),
        (Tally(input=1, output=2, cache_read=3, cache_write=4), Limits(tokens=10), "tokens"),
        (Tally(input=10, cost=D(1)), Limits(cost=D(1), tokens=10), "cost"),
        (Tally(input=9, output=99, cache_read=99, cache_write=99), Limits(input_tokens=10), None),
        (Tally(input=10), Limits(input_tokens=10), "inputTokens"),
        (Tally(output=9, input=99, cache_read=99, cache_write=99), Limits(output_tokens=10), None),
        (Tally(output=10), Limits(output_tokens=10), "outputTokens"),
        (Tally(input=10, output=10), Limits(tokens=20, input_tokens=10, output_tokens=10), "tokens"),
        (Tally(input=10, output=10), Limits(input_tokens=10, output_tokens=10), "inputTokens"),
    ],
)
def test_a_limit_is_reached_once_used_is_not_below_it(used: Tally, limits: Limits, resource: str | None) -> None:
    found = reached(used, limits, "team-a/fix-test")
    assert (found and found.resource) == resource


def test_the_sentence_names_limit_use_session_and_what_to_raise() -> None:
    found = reached(Tally(cost=D("1.2531")), Limits(cost=D("1.25")), "team-a/fix-test")
    assert found is not None
    for part in ("1.25 USD", "1.253100 USD", "team-a/fix-test", "spec.limits.cost"):
        assert part in found.message
    found = reached(Tally(input=12), Limits(tokens=10), "team-a/fix-test")
    assert found is not None
    for part in ("10 tokens", "12 tokens", "spec.limits.tokens"):
        assert part in found.message


@pytest.mark.parametrize(
    ("limits", "parts"),
    [
        (Limits(input_tokens=5), ("5 tokens of input", "used 12", "spec.reserve.inputTokens of the RateBudget")),
        (Limits(output_tokens=5), ("5 tokens of output", "used 7", "spec.reserve.outputTokens of the RateBudget")),
    ],
)
def test_limits_that_only_budgets_have_are_raised_in_the_budget(limits: Limits, parts: tuple[str, ...]) -> None:
    found = reached(Tally(input=12, output=7), limits, "team-a/fix-test")
    assert found is not None
    for part in parts:
        assert part in found.message


def charge(model: str, amount: str = "1", **tokens: Any) -> Charge:
    return Charge(model, Tokens(**tokens), D(amount))


def test_totals_add_up_by_model_and_only_the_answer_counts_as_a_request() -> None:
    usage = Usage().add((charge("a", input=1, output=2), charge("b", cache_read=3, cache_write_5m=4, cache_write_1h=5)), estimated=False)
    usage = usage.add((charge("a", output=1),), estimated=False)
    assert usage.total == Tally(requests=2, input=1, output=3, cache_read=3, cache_write=9, cost=D(3))
    assert usage.by_model == {
        "a": Tally(requests=2, input=1, output=3, cost=D(2)),
        "b": Tally(requests=0, cache_read=3, cache_write=9, cost=D(1)),
    }


def test_one_estimate_marks_the_whole_usage() -> None:
    usage = Usage().add((charge("a"),), estimated=True).add((charge("a"),), estimated=False)
    assert usage.estimated


def test_invented_model_names_cannot_grow_the_account() -> None:
    usage = Usage()
    for number in range(MAX_MODELS + 50):
        usage = usage.add((charge(f"m{number}"),), estimated=False)
    assert len(usage.by_model) == MAX_MODELS + 1
    assert usage.by_model[OTHER].requests == 50
    assert usage.total.requests == MAX_MODELS + 50
    assert known_as("a\nb" + "x" * 500) == "ab" + "x" * 126
