"""Reading what a pod leaves behind: strict about types, and what cannot be read is None, never an error."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.sessions.reports import (
    DEEPEST,
    ERROR_CLASSES,
    MOST_TURNS,
    Report,
    Result,
    Usage,
    last_result,
    read_init_error,
    read_report,
    read_result,
    read_usage,
)
from unit.sessions.builders import NOW


def result(**fields: Any) -> Result:
    found = read_result(json.dumps({"version": 1, "outcome": "Failed", **fields}))
    assert found is not None
    return found


def report(**fields: Any) -> Report:
    found = read_report(json.dumps({"version": 1, "usage": {}, **fields}))
    assert found is not None
    return found


def error(**fields: Any) -> Result:
    return result(error={"class": "Overloaded", **fields})


UNREADABLE: list[Any] = [
    pytest.param("", id="nothing"),
    pytest.param("done", id="a word"),
    pytest.param("[]", id="a list"),
    pytest.param("null", id="null"),
    pytest.param('{"outcome": "Succeeded", "usage": {}}', id="no version"),
    pytest.param('{"version": 2, "outcome": "Succeeded", "usage": {}}', id="another version"),
    pytest.param('{"version": "1", "outcome": "Succeeded", "usage": {}}', id="a version in words"),
    pytest.param('{"version": 1, "outcome": "Done", "usage": 5}', id="another outcome"),
    pytest.param('{"version": 1, "outcome": ["Succeeded"], "usage": []}', id="an outcome that is a list"),
    pytest.param('{"version": 1}', id="an empty document"),
    pytest.param("[" * 100_000, id="nested without end"),
    pytest.param('{"version": 1, "outcome": "Succeeded", "usage": {"cost": NaN}}', id="NaN"),
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_document_of_ours_is_none(text: str) -> None:
    assert read_result(text) is None
    assert read_report(text) is None
    assert read_init_error(text, "CloneFailed") is None


def test_a_whole_result_is_read() -> None:
    found = result(
        text="almost", truncated=True, turns=3, error={"class": "RateLimited", "message": "slow down", "apiStatus": 429, "resetsAt": stamp(NOW)},
        tools=[{"name": "docs", "status": "connected", "required": True, "error": None}],
    )  # fmt: skip
    assert found == Result(
        "Failed", "almost", truncated=True, error_class="RateLimited", error_message="slow down", api_status=429, resets_at=NOW, turns=3,
        tools=({"name": "docs", "status": "connected", "required": True, "error": ""},),
    )  # fmt: skip


@pytest.mark.parametrize("outcome", ["Succeeded", "Failed", "Interrupted"])
def test_the_three_outcomes_of_the_contract_are_known(outcome: str) -> None:
    assert result(outcome=outcome).outcome == outcome


@pytest.mark.parametrize("one", sorted(ERROR_CLASSES))
def test_the_classes_of_the_contract_are_believed(one: str) -> None:
    assert error(**{"class": one}).error_class == one


@pytest.mark.parametrize("one", ["", "no such class!", "429", None, 5, ["RateLimited"], "ratelimited"])
def test_any_other_class_is_a_crash(one: object) -> None:
    assert error(**{"class": one}).error_class == "AgentCrashed"


def test_no_error_has_no_class() -> None:
    assert (result().error_class, result(error="x").error_class, result(error={}).error_class) == ("", "", "")


FIELDS: list[Any] = [
    pytest.param("text", result(text=5), "", id="a text that is a number"),
    pytest.param("text", result(text="a\ud800b"), "a?b", id="half a surrogate pair in a text"),
    pytest.param("truncated", result(truncated="yes"), False, id="cut, but not true"),
    pytest.param("error_message", error(message=["x"]), "", id="a message that is a list"),
    pytest.param("error_message", error(message="\udfff"), "?", id="half a surrogate pair in a message"),
    pytest.param("api_status", error(apiStatus=429), 429, id="a status"),
    pytest.param("api_status", error(apiStatus=99), None, id="a status too small"),
    pytest.param("api_status", error(apiStatus=600), None, id="a status too large"),
    pytest.param("api_status", error(apiStatus="429"), None, id="a status in words"),
    pytest.param("resets_at", error(resetsAt=stamp(NOW)), NOW, id="a reset"),
    pytest.param("resets_at", error(resetsAt="soon"), None, id="a reset in words"),
    pytest.param("resets_at", error(resetsAt=1763719200), None, id="a reset as a number"),
    pytest.param("resets_at", error(resetsAt="2026-11-21T10:00:00"), None, id="a reset without a time zone"),
    pytest.param("resets_at", error(resetsAt="1999-12-31T23:59:59Z"), None, id="a reset in the last century"),
    pytest.param("resets_at", error(resetsAt="2200-01-01T00:00:00Z"), None, id="a reset in two centuries"),
    pytest.param("turns", result(turns=7), 7, id="turns"),
    pytest.param("turns", result(turns=2**62), MOST_TURNS, id="more turns than there are"),
    pytest.param("turns", result(turns=-1), 0, id="negative turns"),
    pytest.param("turns", result(turns=True), 0, id="turns that are true"),
    pytest.param("turns", result(turns=2**63), 0, id="turns beyond 64 bits"),
    pytest.param("tools", result(tools=5), (), id="tools that are a number"),
    pytest.param("tools", result(tools=[5, "x"]), (), id="tools that are no objects"),
    pytest.param("storable", result(structured={"a": [1, "x", None, True, 1.5]}), True, id="an ordinary output"),
    pytest.param("storable", result(structured={"a": 2**63}), False, id="an integer beyond 64 bits"),
    pytest.param("storable", result(structured={"a": [-(2**63) - 1]}), False, id="a negative one"),
    pytest.param("storable", result(structured=1.5e300), True, id="a large number with a fraction"),
    pytest.param("storable", result(structured=-1.5e300), True, id="a small number with a fraction"),
    pytest.param("storable", result(structured="\ud800"), False, id="half a surrogate pair in an output"),
    pytest.param("storable", result(structured={"\ud800": 1}), False, id="half a surrogate pair in a key"),
    pytest.param("storable", result(structured=json.loads("[" * DEEPEST + "]" * DEEPEST)), True, id="as deep as may be"),
    pytest.param("storable", result(structured=json.loads("[" * (DEEPEST + 2) + "]" * (DEEPEST + 2))), False, id="too deep"),
]


@pytest.mark.parametrize(("name", "found", "expected"), FIELDS)
def test_a_field_of_the_wrong_kind_is_left_out(name: str, found: Result, expected: object) -> None:
    assert getattr(found, name) == expected


@pytest.mark.parametrize("number", ["1e400", "-1e400"])
def test_an_infinite_number_is_not_storable(number: str) -> None:
    found = read_result(f'{{"version":1,"outcome":"Succeeded","structured":{number}}}')
    assert found is not None
    assert found.storable is False


def test_tools_are_cut_to_what_a_status_holds() -> None:
    tool = {"name": "n" * 300, "status": "s" * 300, "required": 1, "error": "e" * 3000}
    (found,) = result(tools=[tool]).tools
    assert {name: len(value) if isinstance(value, str) else value for name, value in found.items()} == {
        "name": 256, "status": 64, "required": False, "error": 1024,
    }  # fmt: skip


# Init containers


def test_an_init_container_says_why_it_failed() -> None:
    text = json.dumps({"version": 1, "error": {"class": "CloneFailed", "message": "no such ref"}})
    assert read_init_error(text, "ContinueFailed") == ("CloneFailed", "no such ref")


@pytest.mark.parametrize("fields", [{}, {"class": "x y"}, {"class": 5, "message": 6}])
def test_an_init_container_without_a_class_gets_its_own(fields: Json) -> None:
    assert read_init_error(json.dumps({"version": 1, "error": fields}), "CloneFailed") == ("CloneFailed", "")


# The log

LINE = '{"type": "stint_result", "version": 1, "outcome": "Succeeded", "text": "TEXT"}'
TIGHT = LINE.replace(": ", ":").replace(", ", ",")


@pytest.mark.parametrize(
    ("log", "text"),
    [
        pytest.param(LINE, "TEXT", id="with spaces"),
        pytest.param(TIGHT, "TEXT", id="without"),
        pytest.param(f"{{}}\n{LINE}\n", "TEXT", id="after other lines"),
        pytest.param(LINE.replace("TEXT", "TE\nXT"), "TEXT", id="split by the runtime"),
        pytest.param(LINE.replace("TEXT", "old") + "\n" + LINE, "TEXT", id="the last one counts"),
        pytest.param(TIGHT.replace("TEXT", json.dumps(LINE)[1:-1]), LINE, id="one that quotes another"),
    ],
)
def test_the_result_is_found_at_the_end_of_the_log(log: str, text: str) -> None:
    found = last_result(log)
    assert found is not None
    assert found.text == text


@pytest.mark.parametrize("log", ["", "nothing", '{"type": "other"}', LINE[:-5], LINE + "\nmore"])
def test_a_log_without_a_whole_result_at_its_end_has_none(log: str) -> None:
    assert last_result(log) is None


# Reports


def test_a_whole_report_is_read() -> None:
    text = pod_status.report(
        "0.25", limitReached="tokens", lastError={"status": 529, "type": "overloaded_error", "message": "busy"}, output={"sha256": "ab", "valid": True, "error": "e"},
        previous=[{"pod": "uid", "attempt": 3, "usage": pod_status.counts("0.5")}],
    )  # fmt: skip
    quarter = Usage(1, 100, 10, 0, 0, Decimal("0.25"))
    assert read_report(text) == Report(
        quarter, {"claude-x": quarter}, limit_reached="tokens", last_status=529, output_sha256="ab", output_valid=True, output_error="e",
        previous={"uid": (3, Usage(1, 100, 10, 0, 0, Decimal("0.5")))},
    )  # fmt: skip


@pytest.mark.parametrize(("limit", "expected"), [("cost", "cost"), ("tokens", "tokens"), ("money", None), (None, None), (["cost"], None), (5, None)])
def test_only_the_two_limits_are_known(limit: object, expected: str | None) -> None:
    assert report(limitReached=limit).limit_reached == expected


@pytest.mark.parametrize("refusal", [None, 5, [], {}, {"status": "429"}, {"status": 5}])
def test_a_refusal_that_cannot_be_read_is_none(refusal: object) -> None:
    assert report(lastError=refusal).last_status is None


@pytest.mark.parametrize("output", [None, 5, [], {}])
def test_a_report_without_a_verdict_on_the_output_has_none(output: object) -> None:
    found = report(output=output)
    assert (found.output_sha256, found.output_valid, found.output_error) == (None, False, "")


def test_an_output_is_valid_only_when_the_gateway_says_true() -> None:
    assert report(output={"valid": "true"}).output_valid is False


@pytest.mark.parametrize(
    "previous",
    [None, 5, [5], [{"pod": "x"}], [{"pod": "x", "usage": 5}], [{"pod": 5, "usage": {}}], [{"usage": {}}], {"pod": "x"}],
)
def test_a_journal_entry_that_cannot_be_read_is_left_out(previous: object) -> None:
    assert report(previous=previous).previous == {}


@pytest.mark.parametrize("models", [None, 5, [], {"m": 5}, {"": {}}, {"m" * 257: {}}])
def test_a_model_that_cannot_be_read_is_left_out(models: object) -> None:
    assert report(usage={"byModel": models}).by_model == {}


def test_a_model_may_have_a_long_name() -> None:
    assert list(report(usage={"byModel": {"m" * 256: {}}}).by_model) == ["m" * 256]


@pytest.mark.parametrize(
    ("cost", "expected"),
    [("0.033130", "0.033130"), (1, "1"), (0.5, "0.5"), ("-1", "0"), ("NaN", "0"), ("sNaN", "0"), ("Infinity", "0"), ("much", "0"), (None, "0"), ([], "0"), ("1e9", "1e9"), ("1e30", "1e9")],
)
def test_a_cost_is_a_finite_amount_and_never_negative(cost: object, expected: str) -> None:
    assert read_usage({"cost": cost}).cost == Decimal(expected)


def test_usage_without_figures_is_nothing() -> None:
    assert read_usage({}) == Usage()
    assert read_usage({"estimated": "yes"}).estimated is False
    assert read_usage({"estimated": True}).estimated is True
