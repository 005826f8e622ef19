"""The price list that is built in."""

from decimal import Decimal

import pytest

from stint.providers.prices import SHIPPED


@pytest.mark.parametrize("model", SHIPPED)
def test_prices_keep_the_proportions_of_the_price_list(model: str) -> None:
    """Output costs five times the input, a cache write 1.25 and 2 times, a cache read at most a tenth: a typing error shows here."""
    usd = {key: Decimal(text) for key, text in SHIPPED[model].items()}
    assert usd["output"] == 5 * usd["input"]
    assert usd["cacheWrite5m"] == usd["input"] * Decimal("1.25")
    assert usd["cacheWrite1h"] == 2 * usd["input"]
    assert 0 < usd["cacheRead"] <= usd["input"] / 10
