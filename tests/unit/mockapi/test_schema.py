"""The value made from a schema satisfies it."""

from typing import Any

import jsonschema
import pytest

from mockapi.schema import example

SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "object"},
    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}}},
    {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}, "b": {}}, "required": ["a"], "additionalProperties": False},
    {"type": "object", "required": ["free"]},
    {"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer"}},
    {"type": "object", "properties": {"x": {"type": "null"}}, "minProperties": 1, "additionalProperties": False},
    {"type": "string", "minLength": 7},
    {"type": "string", "maxLength": 2},
    {"type": "string", "pattern": "^[A-Z]+-\\d+$"},
    {"type": "string", "pattern": "^[a-z]{1,3}$"},
    {"type": "string", "format": "date-time"},
    {"enum": ["b", "c"]},
    {"const": {"a": [1]}},
    {"type": ["string", "null"]},
    {"type": "integer", "minimum": 5, "multipleOf": 4},
    {"type": "integer", "exclusiveMinimum": 5},
    {"type": "integer", "maximum": -3},
    {"type": "integer", "exclusiveMaximum": 0},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    {"type": "number", "minimum": 0.5, "exclusiveMaximum": 0.75},
    {"type": "array", "items": {"type": "integer"}},
    {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2},
    {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 3},
    {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    {"oneOf": [{"type": "object", "properties": {"k": {"const": "a"}}, "required": ["k"]}, {"type": "string"}]},
    {
        "allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"b": {}}, "required": ["b"]}],
        "type": "object",
    },
    {"$defs": {"n": {"type": "integer", "minimum": 9}}, "type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]},
    {
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "v": {"type": "integer"}}, "required": ["v"]}},
        "$ref": "#/$defs/node",
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_the_value_satisfies_the_schema(schema: dict[str, Any]) -> None:
    jsonschema.validate(example(schema), schema, cls=jsonschema.Draft202012Validator)


def test_a_default_and_an_example_are_taken_over() -> None:
    schema = {"type": "object", "properties": {"a": {"default": 7}, "b": {"type": "string", "examples": ["nice"]}}}
    assert example(schema) == {"a": 7, "b": "nice"}


def test_a_schema_that_never_ends_is_cut() -> None:
    schema = {"$ref": "#"}
    assert example(schema) is None
