"""What is accepted as `gateway.json`, and the sentence about what is not."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stint.gateway.config import Settings, load, parse
from stint.gateway.document import ConfigError
from stint.gateway.price_list import SHIPPED
from unit.gateway.kit import MODEL, PRICES, config, document

PROVIDER = document()["provider"]


def test_a_description_is_read_as_the_contract_says() -> None:
    read = config(limits={"cost": "1.25", "tokens": 100000}, outputSchema={"type": "object"}, unknownModels="Refuse")
    assert str(read.session) == "team-a/fix-test"
    assert (read.session.uid, read.attempt) == ("u-1", 1)
    assert (read.provider.name, read.provider.base_url, read.provider.auth) == ("default", "http://127.0.0.1:1", "APIKey")
    assert (read.limits.cost, read.limits.tokens) == (Decimal("1.25"), 100000)
    assert read.output_schema == {"type": "object"}
    assert read.prices.unknown == "Refuse"
    price = read.prices.prices[MODEL]
    assert price.cache_write_5m == Decimal("6.25")
    assert price.web_search == 10


def test_web_searches_may_have_a_price_even_of_nothing() -> None:
    read = config(prices={MODEL: {**PRICES, "webSearch": "0"}})
    assert read.prices.prices[MODEL].web_search == 0


def test_what_may_be_left_out() -> None:
    read = config(limits=None, prices={})
    assert read.unsettled == frozenset()
    assert config(unsettled=["a", "b"]).unsettled == {"a", "b"}
    assert (read.limits.cost, read.limits.tokens, read.prices.prices) == (None, None, SHIPPED)
    assert config(outputSchema=False).output_schema is False


def test_the_base_address_may_have_a_path_and_loses_its_slash() -> None:
    assert config(provider={**PROVIDER, "baseURL": "https://proxy.example/anthropic/"}).provider.base_url == "https://proxy.example/anthropic"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"version": 2}, "version 2; this gateway reads version 1"),
        ({"version": None}, "version None; this gateway reads version 1"),
        ({"session": {"namespace": "a", "name": ""}}, "gateway.json.session.name must be a text"),
        ({"session": "x"}, "gateway.json.session must be an object"),
        ({"attempt": -1}, "gateway.json.attempt must be a whole number"),
        ({"attempt": True}, "gateway.json.attempt must be a whole number"),
        ({"provider": {**PROVIDER, "auth": "Magic"}}, "gateway.json.provider.auth must be one of APIKey, AuthToken, SetupToken"),
        ({"provider": {**PROVIDER, "baseURL": "ftp://x"}}, "gateway.json.provider.baseURL must be an address"),
        ({"provider": {**PROVIDER, "baseURL": "https://user@x"}}, "without user"),
        ({"provider": {**PROVIDER, "baseURL": "https://x?y=1"}}, "without user, query"),
        ({"provider": {**PROVIDER, "baseURL": "https://x:port"}}, "baseURL must be an address"),
        ({"prices": []}, "gateway.json.prices must be an object"),
        ({"prices": {MODEL: {**PRICES, "output": 25}}}, f"gateway.json.prices.{MODEL}.output must be an amount in USD"),
        ({"prices": {MODEL: {**PRICES, "output": "-1"}}}, "must be an amount in USD"),
        ({"prices": {MODEL: {**PRICES, "output": "NaN"}}}, "must be an amount in USD"),
        ({"prices": {MODEL: {**PRICES, "output": "1e9"}}}, "must be an amount in USD"),
        ({"prices": {MODEL: {}}}, f"gateway.json.prices.{MODEL}.input must be an amount in USD"),
        ({"unknownModels": "Guess"}, "gateway.json.unknownModels must be one of Refuse, CountAsDearest"),
        ({"limits": {"cost": 1.25}}, "gateway.json.limits.cost must be an amount"),
        ({"limits": {"tokens": "100"}}, "gateway.json.limits.tokens must be a whole number"),
        ({"unsettled": "pod"}, "gateway.json.unsettled must be a list of texts"),
        ({"unsettled": ["pod", 5]}, "gateway.json.unsettled[1] must be a text"),
        ({"outputSchema": "x"}, "gateway.json.outputSchema must be a JSON Schema"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**changes)
    assert complaint in str(caught.value)


def test_a_file_that_is_no_json_or_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no JSON"):
        parse(b"{")
    with pytest.raises(ConfigError, match=r"gateway\.json cannot be read: No such file"):
        load(tmp_path / "gateway.json")
    (tmp_path / "gateway.json").write_text(json.dumps(document()))
    assert load(tmp_path / "gateway.json") == config()


def test_the_environment_moves_files_and_ports() -> None:
    moved = Settings.from_environment(
        {
            "STINT_GATEWAY_CONFIG": "/a",
            "STINT_CREDENTIAL_FILE": "/b",
            "STINT_METER_DIR": "/c",
            "STINT_TERMINATION_LOG": "/d",
            "POD_UID": "p",
            "STINT_GATEWAY_PORT": "1",
            "STINT_REPORT_PORT": "2",
            "STINT_REPORT_HOST": "127.0.0.1",
            "STINT_UPSTREAM_READ_TIMEOUT": "0.5",
            "STINT_GATEWAY_DRAIN": "1.5",
        }
    )
    assert moved == Settings(Path("/a"), Path("/b"), Path("/c"), Path("/d"), "p", 1, 2, "127.0.0.1", 0.5, 1.5)
    usual = Settings.from_environment({})
    assert usual.termination_log == Path("/dev/termination-log")
    assert (usual.agent_port, usual.report_port, usual.meter_dir) == (8787, 8788, Path("/var/lib/stint/meter"))
    with pytest.raises(ConfigError, match="STINT_REPORT_PORT is 'x'; it must be a number"):
        Settings.from_environment({"STINT_REPORT_PORT": "x"})
