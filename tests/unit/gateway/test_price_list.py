"""The price list that is built in, and a provider's own prices over it."""

from dataclasses import fields

import pytest

from stint.api.provider import ProviderSpec
from stint.gateway.price_list import SHIPPED
from stint.gateway.prices import WEB_SEARCH_DEFAULT, Price
from unit.gateway.kit import PRICES, config


@pytest.mark.parametrize("model", SHIPPED)
def test_prices_keep_the_proportions_of_the_price_list(model: str) -> None:
    """Output costs five times the input, a cache write 1.25 and 2 times, a cache read at most a tenth: a typing error shows here."""
    usd = SHIPPED[model]
    assert usd.output == 5 * usd.input
    assert usd.cache_write_5m * 4 == 5 * usd.input
    assert usd.cache_write_1h == 2 * usd.input
    assert 0 < usd.cache_read <= usd.input / 10
    assert usd.web_search == WEB_SEARCH_DEFAULT


def test_the_default_model_has_a_price() -> None:
    assert ProviderSpec.read({}).default_model in SHIPPED


def test_own_prices_win_and_add_models() -> None:
    before = dict(SHIPPED)
    found = config(prices={"claude-opus-5": PRICES, "house-model": {**PRICES, "input": "7"}}).prices.prices
    assert [str(getattr(found["claude-opus-5"], figure.name)) for figure in fields(Price)] == ["5", "25", "0.5", "6.25", "10", "10"]
    assert found["house-model"].input == 7
    assert {model: price for model, price in found.items() if model not in ("claude-opus-5", "house-model")} == {
        model: price for model, price in before.items() if model != "claude-opus-5"
    }
    assert before == SHIPPED
