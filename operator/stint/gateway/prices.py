"""What tokens cost, and which price belongs to a model's name.

Prices are USD per million tokens, web searches USD per thousand; all arithmetic is decimal, so that a budget of many small
requests adds up to the cent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Literal

from stint.gateway.usage import Charge, Metered, Tokens

UnknownModels = Literal["Refuse", "CountAsDearest"]

MILLION = Decimal(1_000_000)
THOUSAND = Decimal(1_000)
WEB_SEARCH_DEFAULT = Decimal(10)

# What may follow a name in the table and still be the same model: a date, `latest`, a platform's revision. Never a version:
# the price of `claude-x` says nothing about `claude-x-5`.
_SAME_MODEL = re.compile(r"([-@](\d{8}|latest|default))?(-v\d+(:\d+)?)?")


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of one model: USD per million tokens, `web_search` USD per thousand searches."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    web_search: Decimal = WEB_SEARCH_DEFAULT


FREE = Price(*(Decimal(0) for _ in fields(Price)))


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The provider's prices and what to do about a model that is not among them."""

    prices: Mapping[str, Price]
    unknown: UnknownModels

    def find(self, model: str) -> Price | None:
        """The price of `model`, if it has one."""
        name = priced_as(model, self.prices)
        return None if name is None else self.prices[name]

    def dearest(self) -> Price:
        """The highest price of the table for each kind of token, which may come from different models."""
        if not self.prices:
            return FREE
        return Price(*(max(getattr(price, kind.name) for price in self.prices.values()) for kind in fields(Price)))

    def price_of(self, answered: str | None, asked: str) -> Price:
        """The price of the model that answered, else of the one that was asked for, else the dearest."""
        return (self.find(answered) if answered else None) or self.find(asked) or self.dearest()

    def charge(self, metered: Metered, asked: str) -> tuple[Charge, ...]:
        """Put a price on what was metered; `asked` is the model the request named."""
        return tuple(
            Charge(model=part.model or asked, tokens=part.tokens, cost=cost(part.tokens, self.price_of(part.model, asked))) for part in metered.parts
        )


def priced_as(model: str, names: Collection[str]) -> str | None:
    """The name that a model has in a price list: its very own, else the longest that it is a dated form of."""
    if model in names:
        return model
    return max((name for name in names if model.startswith(name) and _SAME_MODEL.fullmatch(model, len(name))), key=len, default=None)


def cost(tokens: Tokens, price: Price) -> Decimal:
    """USD, exact."""
    return (
        tokens.input * price.input
        + tokens.output * price.output
        + tokens.cache_read * price.cache_read
        + tokens.cache_write_5m * price.cache_write_5m
        + tokens.cache_write_1h * price.cache_write_1h
    ) / MILLION + tokens.web_searches * price.web_search / THOUSAND
