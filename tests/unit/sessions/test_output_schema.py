"""Whether `agent.outputSchema` is a JSON schema at all."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from simulation.pod_status import Json
from stint.sessions.output_schema import LARGEST, schema_problem


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {},
        {"properties": {"a": {"pattern": "^x+$"}}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {"type": "string"}}},
        {"$schema": "https://example.com/unknown", "type": "array"},
    ],
)
def test_a_schema_has_no_problem(schema: Json) -> None:
    assert schema_problem(schema) == ""


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        pytest.param({"type": "nonsense"}, "type: 'nonsense'", id="no such type"),
        pytest.param({"properties": {"a": {"minimum": "1"}}}, "properties/a/minimum: '1' is not of type 'number'", id="a wrong keyword, with its place"),
        pytest.param({"pattern": "("}, "pattern: '(' is not a 'regex'", id="no regular expression"),
        pytest.param({"required": "a"}, "required: 'a' is not of type 'array'", id="a text for a list"),
        pytest.param(
            {"$schema": "http://json-schema.org/draft-04/schema#", "exclusiveMinimum": 5}, "exclusiveMinimum", id="an older draft has other words"
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(schema: Json, words: str) -> None:
    assert words in schema_problem(schema)


def test_a_problem_is_at_most_512_characters_long() -> None:
    assert len(schema_problem({"type": "x" * 5000})) == 512
    assert len(schema_problem({"properties": {"p" * 5000: {"type": 5}}})) == 512


def test_a_schema_that_is_no_object_has_a_problem_without_a_place() -> None:
    wrong: Any = "type"
    assert schema_problem(wrong) == "'type' is not of type 'object', 'boolean'"


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"$schema": {}}, id="a dialect that is an object"),
        pytest.param({"$schema": 5}, id="a dialect that is a number"),
        pytest.param({"$schema": "http://[::1"}, id="a dialect that is no URL"),
        pytest.param({"pattern": "a{99999999999999999999}"}, id="more repetitions than can be counted"),
    ],
)
def test_a_schema_on_which_the_library_breaks_has_a_problem_too(schema: Json) -> None:
    assert 0 < len(schema_problem(schema)) <= 512


def test_a_schema_nested_without_end_is_too_deep() -> None:
    deep: Json = json.loads('{"not":' * 900 + "{}" + "}" * 900)
    assert schema_problem(deep) == "it is nested too deeply"
    assert schema_problem({"pattern": "(?:" * 3000 + ")" * 3000}) == "it is nested too deeply"


DRAFT_4, DRAFT_7, DRAFT_2019 = (
    {"$schema": dialect}
    for dialect in ("http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2019-09/schema")
)


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({**DRAFT_4, "enum": [{"a": number} for number in range(2500)]}, id="elements that cannot be sorted"),
        pytest.param({"type": [{"a": number} for number in range(2500)]}, id="the same for types"),
        pytest.param({"not": {**DRAFT_4, "type": [{"a": number} for number in range(2500)]}}, id="the same further down"),
        pytest.param({"allOf": [{}] * 10_000}, id="many schemas in one"),
        pytest.param({**DRAFT_2019, "allOf": [{}] * 10_000}, id="many schemas in one, of an older draft"),
        pytest.param({"allOf": [5] * 15_000}, id="many errors"),
    ],
)
def test_no_schema_keeps_everybody_else_waiting(schema: Json) -> None:
    assert len(json.dumps(schema, separators=(",", ":"))) <= LARGEST
    began = time.process_time()
    schema_problem(schema)
    assert time.process_time() - began < 2  # seconds; 5 to 20 and more, if elements are compared with each other, or parts are looked up


def test_a_schema_that_is_too_large_is_not_looked_at() -> None:
    assert schema_problem({"description": "x" * (LARGEST - 18)}) == ""
    assert schema_problem({"description": "x" * (LARGEST - 17)}).startswith("it has 32769 bytes, and may have 32768; make it smaller")


@pytest.mark.parametrize("draft", [{}, DRAFT_2019, DRAFT_7, DRAFT_4])
@pytest.mark.parametrize(
    ("schema", "where"),
    [
        ({"properties": {"a": {"items": {"maxLength": -1}}}}, "properties/a/items"),
        ({"anyOf": [{"not": {"required": ["a", "a"]}}]}, "anyOf/0/not/required: the elements of a list are not unique"),
        ({"additionalProperties": {"type": "objekt"}}, "additionalProperties"),
        ({"title": 5}, "title"),
        ({"properties": {"a": {"pattern": "("}}}, "properties/a/pattern"),
    ],
)
def test_every_part_of_every_draft_is_looked_at(draft: Json, schema: Json, where: str) -> None:
    assert schema_problem({**draft, **schema}).startswith(where)


def test_words_of_the_newest_draft_are_known() -> None:
    wrongs: list[Json] = [
        {"prefixItems": {}}, {"dependentRequired": {"a": "b"}}, {"unevaluatedProperties": 5}, {"$defs": {"a": 5}}, {"$anchor": "1"},
    ]  # fmt: skip
    for wrong in wrongs:
        assert schema_problem(wrong) != ""
