"""What the tokens would have cost, so that a test can compare it with what Stint accounted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from mockapi.errors import BadScript
from mockapi.usage import Usage

MILLION = Decimal(1_000_000)
_FIELDS = ("input", "output", "cacheRead", "cacheWrite5m", "cacheWrite1h")

# List prices of November 2026. Haiku 5.5 is the price of prompts of up to 100,000 tokens.
DEFAULT_PRICES = {
    "claude-fable-5-1": ("10", "50", "0.25", "12.5", "20"),
    "claude-opus-5-5": ("4", "20", "0.2", "5", "8"),
    "claude-opus-5": ("5", "25", "0.5", "6.25", "10"),
    "claude-opus-4-8": ("5", "25", "0.5", "6.25", "10"),
    "claude-opus-4-7": ("5", "25", "0.5", "6.25", "10"),
    "claude-opus-4-6": ("5", "25", "0.5", "6.25", "10"),
    "claude-sonnet-5-5": ("2", "10", "0.1", "2.5", "4"),
    "claude-sonnet-5": ("2", "10", "0.2", "2.5", "4"),
    "claude-sonnet-4-6": ("3", "15", "0.3", "3.75", "6"),
    "claude-haiku-5-5": ("0.1", "0.5", "0.01", "0.125", "0.2"),
    "claude-haiku-4-5": ("1", "5", "0.1", "1.25", "2"),
}


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal

    def cost(self, usage: Usage) -> Decimal:
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write_5m * self.cache_write_5m
            + usage.cache_write_1h * self.cache_write_1h
        ) / MILLION


class PriceTable:
    """Prices by model. A model takes the longest name that it starts with; one that matches none takes the dearest."""

    def __init__(self, prices: Mapping[str, Price]) -> None:
        if not prices:
            raise BadScript("the price table is empty")
        self.prices = dict(prices)
        self._dearest = max(self.prices.values(), key=lambda price: (price.output, price.input))

    def of(self, model: str) -> Price:
        names = [name for name in self.prices if model.startswith(name)]
        return self.prices[max(names, key=len)] if names else self._dearest

    def as_json(self) -> dict[str, dict[str, str]]:
        return {
            name: dict(zip(_FIELDS, (str(getattr(price, attribute)) for attribute in Price.__slots__), strict=True))
            for name, price in self.prices.items()
        }


def default_prices() -> PriceTable:
    return PriceTable({name: Price(*map(Decimal, row)) for name, row in DEFAULT_PRICES.items()})


def load_prices(path: Path) -> PriceTable:
    """A JSON file `{"model": {"input": "5", "output": "25", "cacheRead": "0.5", "cacheWrite5m": "6.25", "cacheWrite1h": "10"}}`."""
    try:
        raw = json.loads(path.read_text())
        return PriceTable({name: Price(*(Decimal(str(row[field])) for field in _FIELDS)) for name, row in raw.items()})
    except (ValueError, AttributeError, TypeError, KeyError, InvalidOperation) as error:
        raise BadScript(f"{path} is not a price table ({error!r}): each model needs {', '.join(_FIELDS)} in USD per million tokens") from error


def usd(cost: Decimal) -> str:
    """A plain decimal string, at least six places, nothing rounded away."""
    normal = cost.normalize()
    exponent = normal.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) else 0
    return f"{cost:.{max(6, places)}f}"
