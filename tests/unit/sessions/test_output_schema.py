"""Whether `agent.outputSchema` is a JSON schema at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulation.pod_status import Json
from stint.sessions.output_schema import schema_problem


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
