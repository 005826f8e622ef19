"""The termination message and the last log line: always valid JSON, always within their limits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stint_runner.errors import Error
from stint_runner.result import FAILED, SUCCEEDED, Result, ToolState, cut, init_message, log_line, termination_message


def message(result: Result) -> dict[str, Any]:
    encoded = termination_message(result)
    assert len(encoded) <= 4096
    document: dict[str, Any] = json.loads(encoded)
    return document


def line(result: Result) -> dict[str, Any]:
    encoded = log_line(result)
    assert len(encoded) <= 64 * 1024
    assert encoded.count(b"\n") == 1
    assert encoded.endswith(b"\n")
    document: dict[str, Any] = json.loads(encoded)
    return document


def test_a_short_result_is_told_whole() -> None:
    document = message(Result(SUCCEEDED, text="done", structured={"a": 1}))

    assert (document["text"], document["structured"], document["truncated"]) == ("done", {"a": 1}, False)


@pytest.mark.parametrize("char", ["x", "ä", "🙂", '"', "\n", "\x01"])
def test_a_long_text_is_cut_on_a_character_boundary(char: str) -> None:
    document = message(Result(SUCCEEDED, text=char * 50_000, structured={"a": 1}))

    assert document["text"]
    assert set(document["text"]) == {char}
    assert (document["structured"], document["truncated"]) == (None, True)
    assert len(termination_message(Result(SUCCEEDED, text=char * 50_000))) > 4080


def test_the_log_line_has_32_kib_of_text() -> None:
    document = line(Result(SUCCEEDED, text="x" * 50_000, structured={"a": 1}))

    assert (len(document["text"]), document["structured"], document["truncated"]) == (32 * 1024, {"a": 1}, True)


@pytest.mark.parametrize("text", ["\x01" * 50_000, "🙂" * 50_000, '"' * 50_000])
def test_the_log_line_stays_within_its_limit_whatever_has_to_be_escaped(text: str) -> None:
    assert line(Result(SUCCEEDED, text=text, structured=["x" * 60_000]))["type"] == "stint_result"


def test_an_error_message_is_cut_but_its_class_stays() -> None:
    document = message(Result(FAILED, error=Error("RateLimited", "\x1b" * 100_000, api_status=429, resets_at=1795225418)))

    assert document["error"]["class"] == "RateLimited"
    assert document["error"]["apiStatus"] == 429
    assert document["error"]["resetsAt"] == "2026-11-21T01:43:38Z"


def test_many_failed_servers_still_fit() -> None:
    tools = tuple(ToolState(f"server-{n}", "failed" if n % 2 else "connected", n % 2 == 1, "x" * 500) for n in range(64))

    document = message(Result(FAILED, error=Error("ToolsUnavailable", "y" * 2000), tools=tools))

    assert [tool["status"] for tool in document["tools"]].count("failed") == 32
    assert len(document["tools"]) < 64


def test_a_lone_surrogate_does_not_break_the_message() -> None:
    assert message(Result(SUCCEEDED, text="a\ud83db"))["text"] == "a?b"


def test_an_init_message_has_version_and_error() -> None:
    document = json.loads(init_message(Error("CloneFailed", "x" * 10_000)))

    assert (document["version"], document["error"]["class"], len(document["error"]["message"])) == (1, "CloneFailed", 1024)


def test_cutting_never_splits_a_character() -> None:
    assert [cut("aä🙂", size) for size in range(8)] == ["", "a", "a", "aä", "aä", "aä", "aä", "aä🙂"]
