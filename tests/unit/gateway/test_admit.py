"""Which requests may go out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from stint.gateway.admit import Ask, Seen, read, refuse
from stint.gateway.errors import Refused, said
from stint.gateway.output import bounded
from stint.gateway.usage import Tally
from unit.gateway.kit import MODEL, config


def test_a_request_is_read_from_its_body() -> None:
    body = json.dumps({"model": MODEL, "stream": True, "max_tokens": 5, "speed": "fast"}).encode()
    assert read(body) == Ask(MODEL, True, 5, "fast", len(body))
    assert read(b'{"model":"m"}') == Ask("m", False, 0, None, 13)
    assert read(b'{"model":"m","max_tokens":"many","stream":1}').max_tokens == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b'{"model": 5}', b'{"model": ""}'])
def test_a_body_that_names_no_model_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read(body)
    assert (caught.value.refusal.status, caught.value.refusal.kind) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("model", "speed", "used", "changes", "status", "words"),
    [
        (MODEL, None, "0", {}, None, ""),
        (f"{MODEL}-20260101", "standard", "0", {"unknownModels": "Refuse"}, None, ""),
        ("claude-new", None, "0", {}, None, ""),
        ("claude-new", None, "0", {"unknownModels": "Refuse"}, 400, "The model claude-new has no price. Add it to spec.prices of the ModelProvider"),
        (MODEL, "fast", "0", {}, 400, "The speed fast has no price"),
        (MODEL, None, "1", {"limits": {"cost": "1"}}, 429, "may use 1 USD and has used 1.000000 USD"),
        ("claude-new", "fast", "1", {"limits": {"cost": "1"}, "unknownModels": "Refuse"}, 429, "spec.limits.cost"),
    ],
)
def test_the_first_rule_that_refuses_wins(model: str, speed: str | None, used: str, changes: dict[str, Any], status: int | None, words: str) -> None:
    seen = Seen(Ask(model, True, 1, speed, 1), Tally(cost=Decimal(used)), config(**changes))
    refusal = refuse(seen)
    assert (refusal and refusal.status) == status
    assert refusal is None or (words in refusal.message and refusal.retry is False)


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "overloaded_error", "Overloaded"),
        (b'{"error":{}}', "api_error", "status 500"),
        (b'{"error":"no"}', "api_error", '{"error":"no"}'),
        (b"<html>bad gateway</html>", "api_error", "<html>bad gateway</html>"),
        (b"", "api_error", "status 500"),
    ],
)
def test_an_error_is_read_whatever_its_shape(body: bytes, kind: str, message: str) -> None:
    error = said(500, body)
    assert error.as_json() == {"status": 500, "type": kind, "message": message}


def test_a_message_is_bounded_and_printable() -> None:
    assert bounded("a\n\n  b\x00\x1b") == "a b??"
    assert bounded("x" * 256) == "x" * 256
    assert bounded("x" * 257) == "x" * 255 + "…"
