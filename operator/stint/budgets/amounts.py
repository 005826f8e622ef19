"""What an attempt uses, or may use at most, of each resource that is paid for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

ZERO, ONE = Decimal(0), Decimal(1)


class Amounts(NamedTuple):
    """USD and tokens. None: nothing is known or limited."""

    cost: Decimal | None = None
    tokens: Decimal | None = None
    input_tokens: Decimal | None = None
    output_tokens: Decimal | None = None


NOTHING = Amounts()
PAID = {"cost": 0, "tokens": 1, "inputTokens": 2, "outputTokens": 3}
"""Resources that are paid for, and their place in `Amounts`. The others, sessions and concurrency, count attempts."""


def amounts(cost: str | int | None = None, tokens: int | None = None, input_tokens: int | None = None, output_tokens: int | None = None) -> Amounts:
    """Amounts of plain numbers; USD as a decimal string."""
    values = (cost, tokens, input_tokens, output_tokens)
    return Amounts(*(None if value is None else Decimal(value) for value in values))


def read_amounts(written: Mapping[str, Any]) -> Amounts:
    """Amounts under their YAML names, as `write_amounts` makes them."""
    return amounts(*(written.get(name) for name in PAID))


def write_amounts(found: Amounts) -> dict[str, Any]:
    """For JSON: USD as a string, tokens as whole numbers; what is None is left out."""
    values = zip(PAID, found, strict=True)
    return {name: plain(value) if name == "cost" else int(value) for name, value in values if value is not None}


def plain(amount: Decimal) -> str:
    """An amount without an exponent and without needless zeros: ``0.0331``."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
