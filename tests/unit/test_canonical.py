"""One form of JSON, so that two processes compute the same hash."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from stint.canonical import canonical, parse, sha256


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": {"d": [1, 2], "c": None}}, '{"a":{"c":null,"d":[1,2]},"b":1}'),
        ("ä€😀", '"ä€😀"'),
        (1e-07, "1e-07"),
        (10**30, "1000000000000000000000000000000"),
        ([True, False], "[true,false]"),
        ('"\\\n', '"\\"\\\\\\n"'),
    ],
)
def test_there_is_one_way_to_write_a_value(value: Any, text: str) -> None:
    assert canonical(value) == text.encode()


def test_the_hash_is_that_of_the_canonical_form() -> None:
    assert sha256({"b": 1, "a": 2}) == sha256({"a": 2, "b": 1}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()


def test_a_value_has_the_same_hash_after_a_journey() -> None:
    value = {"n": 1e-07, "big": 10**30, "text": "ä\u2028", "null": None}
    assert sha256(parse(canonical(value))) == sha256(value)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"x": -Infinity}'])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        parse(text)


@pytest.mark.parametrize("text", ["", "{", b"\xff\xfe\xff"])
def test_what_is_no_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_bytes_and_text_read_the_same() -> None:
    assert parse('{"a": 1.5}') == parse(b'{"a": 1.5}') == {"a": 1.5}


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        canonical(parse('"\\ud800"'))


def test_what_is_nested_too_deeply_is_refused_and_not_hashed() -> None:
    with pytest.raises(RecursionError):
        parse("[" * 100_000 + "]" * 100_000)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RecursionError):
        canonical(deep)
