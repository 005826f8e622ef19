"""What models cost, so that a provider needs no price list of its own.

Source: the price page of the Claude Platform documentation, 2026-11-21; USD per million tokens. Claude Haiku 5.5 has two price bands by the length
of the prompt; the upper one stands here, because a limit must never be passed. A provider's own ``spec.prices`` win.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from stint.gateway.prices import Price


def _price(*figures: str) -> Price:
    """Input, output, cache read, cache write for 5 minutes and for an hour."""
    return Price(*map(Decimal, figures))


FABLE_5_1 = _price("10", "50", "0.25", "12.5", "20")
FABLE_5 = _price("10", "50", "1", "12.5", "20")
OPUS_5_5 = _price("4", "20", "0.2", "5", "8")
OPUS_5 = _price("5", "25", "0.5", "6.25", "10")
OPUS_4 = _price("15", "75", "1.5", "18.75", "30")
SONNET_5_5 = _price("2", "10", "0.1", "2.5", "4")
SONNET_5 = _price("2", "10", "0.2", "2.5", "4")
SONNET_4 = _price("3", "15", "0.3", "3.75", "6")
HAIKU_5_5 = _price("0.5", "2.5", "0.05", "0.625", "1")
HAIKU_4_5 = _price("1", "5", "0.1", "1.25", "2")

SHIPPED: Mapping[str, Price] = {
    "claude-fable-5-1": FABLE_5_1,
    "claude-fable-5": FABLE_5,
    "claude-opus-5-5": OPUS_5_5,
    "claude-opus-5": OPUS_5,
    "claude-opus-4-8": OPUS_5,
    "claude-opus-4-7": OPUS_5,
    "claude-opus-4-6": OPUS_5,
    "claude-opus-4-5": OPUS_5,
    "claude-opus-4-1": OPUS_4,
    "claude-opus-4": OPUS_4,
    "claude-sonnet-5-5": SONNET_5_5,
    "claude-sonnet-5": SONNET_5,
    "claude-sonnet-4-6": SONNET_4,
    "claude-sonnet-4-5": SONNET_4,
    "claude-sonnet-4": SONNET_4,
    "claude-haiku-5-5": HAIKU_5_5,
    "claude-haiku-4-5": HAIKU_4_5,
}
