"""Structured output: checked against its schema by a process that can be killed."""

from __future__ import annotations

import hashlib
import io
import json
import resource
import sys
import time
import urllib.request
from typing import Any

import pytest

from stint.gateway import output as output_module
from stint.gateway.output import OutputCheck, Schema, Verdict, canonical, mismatch, submitted, work

PERSON = {"type": "object", "properties": {"name": {"type": "string"}, "tags": {"items": {"type": "integer"}}}, "required": ["name"]}


def test_the_hash_is_over_canonical_json() -> None:
    assert canonical({"b": [1, 2.5, True, None], "a": "ü/🎈"}) == '{"a":"ü/🎈","b":[1,2.5,true,null]}'.encode()
    assert canonical(json.loads('{"b":1,"a":{"d":1.0,"c":12345678901234567890123}}')) == b'{"a":{"c":12345678901234567890123,"d":1.0},"b":1}'


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        (PERSON, {"name": "a", "tags": [1]}, None),
        (PERSON, {}, "$: 'name' is a required property"),
        (PERSON, {"name": "a", "tags": [1, "b"]}, "$.tags[1]: 'b' is not of type 'integer'"),
        (True, 5, None),
        (False, 5, "False schema does not allow 5"),
        # Draft 2020-12 unless the schema says otherwise: `items` as a list belongs to the drafts before it.
        ({"prefixItems": [{"type": "string"}]}, [1], "$[0]: 1 is not of type 'string'"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}, [1], "$[0]: 1 is not of type 'string'"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": [{"type": "string"}]}, [1], None),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, 5, "$: 5 is not of type 'string'"),
        ({"type": "nonsense"}, 5, "outputSchema is no valid JSON Schema: 'nonsense' is not valid"),
        ({"$ref": "http://127.0.0.1:1/schema.json"}, 5, "outputSchema refers to something that is not in it: http://127.0.0.1:1/schema.json"),
        ({"$ref": "#/$defs/none"}, 5, "outputSchema refers to something that is not in it"),
        ({"pattern": "("}, "a", "outputSchema is no valid JSON Schema: '(' is not a 'regex'"),
        ({"$ref": "#"}, 5, "nested too deeply"),
    ],
)
def test_what_matches_and_what_does_not(schema: Schema, value: Any, words: str | None) -> None:
    error = mismatch(schema, value)
    assert (error is None) if words is None else (error is not None and words in error), error


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("fetched"))
    assert "refers to something that is not in it" in str(mismatch({"$ref": "http://127.0.0.1:1/schema.json"}, 5))


def test_an_error_is_bounded() -> None:
    error = mismatch({"type": "string"}, ["x" * 1000])
    assert error is not None
    assert len(error) == 256


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "must be JSON"),
        (b'{"output": NaN}', "must be JSON"),
        (b'{"output": "\\ud800"}', "must be JSON in UTF-8"),
        (b"\xff\xfe\xfd", "must be JSON"),
        (b'{"output": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "must be JSON"),
        (b"[]", 'must be {"output": …}'),
        (b'{"outputs": 1}', 'must be {"output": …}'),
    ],
)
def test_what_is_no_submission_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=r"^The body must be") as caught:
        submitted(body)
    assert words in str(caught.value)


def test_anything_may_be_submitted_even_null() -> None:
    assert submitted(b'{"output": null}') is None
    assert submitted(b'{"output": {"a": [1]}}') == {"a": [1]}


async def test_an_output_is_checked_in_a_process_of_its_own() -> None:
    check = OutputCheck(PERSON)
    value = {"name": "ü"}
    assert await check(value) == Verdict(hashlib.sha256('{"name":"ü"}'.encode()).hexdigest(), True, None)
    verdict = await check({"name": 5})
    assert (verdict.valid, verdict.error) == (False, "$.name: 5 is not of type 'string'")
    assert "jsonschema" not in output_module.__dict__


async def test_without_a_schema_everything_is_valid() -> None:
    verdict = await OutputCheck(None)([1])
    assert verdict == Verdict(hashlib.sha256(b"[1]").hexdigest(), True, None)


async def test_a_hostile_pattern_is_killed() -> None:
    check = OutputCheck({"pattern": "^(a+)+$"}, seconds=1.0)
    began = time.monotonic()
    verdict = await check("a" * 64 + "!")
    assert time.monotonic() - began < 4
    assert verdict.valid is False
    assert verdict.error is not None
    assert "longer than 1 seconds" in verdict.error


async def test_a_worker_that_dies_is_no_valid_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    verdict = await OutputCheck(PERSON)({"name": "a"})
    assert (verdict.valid, verdict.error) == (False, "The check against outputSchema failed (exit code 1).")


def test_the_worker_limits_itself_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {}
    monkeypatch.setattr(resource, "setrlimit", lambda which, limit: limits.update({which: limit}))
    question = io.TextIOWrapper(io.BytesIO(canonical({"schema": {"type": "string"}, "output": 5})))
    answer = io.StringIO()
    monkeypatch.setattr(sys, "stdin", question)
    monkeypatch.setattr(sys, "stdout", answer)
    work()
    assert json.loads(answer.getvalue()) == "$: 5 is not of type 'string'"
    assert set(limits) == {resource.RLIMIT_CPU, resource.RLIMIT_AS}
