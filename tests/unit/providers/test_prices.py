"""A provider's own prices over those that are built in."""

from __future__ import annotations

import json
from typing import Any

from stint.api.provider import ProviderSpec
from stint.gateway.config import parse
from stint.providers.prices import FIELDS, SHIPPED, price_table
from unit.gateway.kit import document

OWN: dict[str, Any] = {"input": "1", "output": "2", "cacheRead": "3", "cacheWrite5m": "4", "cacheWrite1h": "5"}


def spec(*prices: dict[str, Any]) -> ProviderSpec:
    return ProviderSpec.read({"prices": list(prices)})


def test_a_provider_without_prices_has_those_built_in() -> None:
    assert price_table(spec()) == SHIPPED


def test_own_prices_win_and_add_models_each_figure_in_its_place() -> None:
    before = dict(SHIPPED)
    table = price_table(spec({"model": "claude-opus-5", **OWN}, {"model": "house-model", **OWN}))
    assert table["claude-opus-5"] == table["house-model"] == OWN
    assert {model: price for model, price in table.items() if model in SHIPPED and model != "claude-opus-5"} == {
        model: price for model, price in before.items() if model != "claude-opus-5"
    }
    assert before == SHIPPED


def test_every_price_has_every_figure() -> None:
    assert {tuple(price) for price in SHIPPED.values()} == {FIELDS}


def test_the_gateway_reads_the_whole_table() -> None:

    read = parse(json.dumps(document(prices=price_table(spec({"model": "house-model", **OWN})))).encode())
    assert set(read.prices.prices) == {*SHIPPED, "house-model"}


def test_the_default_model_has_a_price() -> None:
    assert spec().default_model in SHIPPED
