"""One step of a script: what a user may write, and what it means.

A step is an answer (`text`, `tool`, `thinking`, …), and perhaps a trouble on the way to it (`fault`, `drop`, `hang`, …).
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from mockapi import fields
from mockapi.errors import BadScript, Reply, error_event
from mockapi.ratelimit import Headers, check_headers, check_ratelimit
from mockapi.usage import check_override

DONE_TEXT = "done"  # the answer of a step that names none, and of a script that is over


class Place(StrEnum):
    """Where on the way a step waits or breaks."""

    HEADERS = "headers"  # before anything is sent
    START = "start"  # after message_start
    MIDDLE = "middle"  # half-way through the answer


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    input: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    text: str | None = None
    tools: tuple[ToolCall, ...] = ()
    thinking: str | None = None
    stop: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    slow: float = 0
    chunks: int | None = None
    gate: str | None = None
    at: Place = Place.START
    hang: float = 0
    stall: float = 0
    drop: bool = False
    sse_error: dict[str, Any] | None = None
    fault: Reply | None = None
    times: int | None = None
    ratelimit: Headers = field(default_factory=dict)
    expect: tuple[str, ...] = ()
    otherwise: "Step | None" = None

    def without_trouble(self) -> "Step":
        return replace(self, hang=0, stall=0, drop=False, sse_error=None, fault=None, times=None)


_KEYS = {
    "text", "tool", "input", "tools", "thinking", "stop", "usage", "slow", "chunks", "until", "at", "hang", "stall", "drop",
    "sse_error", "fault", "times", "ratelimit", "expect", "else",
}  # fmt: skip
_FAULT_KEYS = {"status", "type", "message", "headers", "body", "times"}


def parse_script(raw: object) -> tuple[Step, ...]:
    if not isinstance(raw, list):
        raise BadScript("a script is a list of steps")
    steps = []
    for number, step in enumerate(raw, start=1):
        try:
            steps.append(parse_step(step))
        except BadScript as error:
            raise BadScript(f"step {number}: {error}") from error
    return tuple(steps)


def parse_step(raw: object) -> Step:
    if not isinstance(raw, dict):
        raise BadScript(f'a step is an object such as {{"text": "hello"}}, not {raw!r}')
    fields.known(raw, _KEYS)
    fault = fields.read(raw, "fault", dict)
    step = Step(
        text=fields.read(raw, "text", str),
        tools=_tools(raw),
        thinking=fields.read(raw, "thinking", str),
        stop=fields.read(raw, "stop", str),
        usage=check_override(raw.get("usage", {})),
        slow=fields.seconds(raw, "slow"),
        chunks=fields.count(raw, "chunks", least=1),
        gate=_gate(raw),
        hang=fields.seconds(raw, "hang"),
        stall=fields.seconds(raw, "stall"),
        drop=fields.read(raw, "drop", bool) or False,
        sse_error=parse_sse_error(raw["sse_error"]) if "sse_error" in raw else None,
        fault=parse_reply(fault) if fault is not None else None,
        times=fields.count({**raw, **(fault or {})}, "times", least=1),
        ratelimit=check_ratelimit(raw.get("ratelimit", {})),
        expect=_expect(raw),
        otherwise=_otherwise(raw),
    )
    return replace(step, at=_place(raw, step))


def parse_reply(raw: dict[str, Any]) -> Reply:
    """The `fault` of a step, and the reply of a fault that is set from outside."""
    fields.known(raw, _FAULT_KEYS)
    status = fields.count(raw, "status", least=400)
    if status is None or status > 599:
        raise BadScript("a fault needs a `status` between 400 and 599")
    body = raw.get("body")
    if body is not None and not isinstance(body, (dict, str)):
        raise BadScript("`body` must be an object or a string")
    headers = check_headers(raw.get("headers", {}), "headers")
    return Reply(status, fields.read(raw, "type", str), fields.read(raw, "message", str), headers, body)


def parse_sse_error(raw: object) -> dict[str, Any]:
    if isinstance(raw, str):
        return error_event(raw)
    if isinstance(raw, dict) and isinstance(raw.get("type"), str):
        return error_event(raw["type"], fields.read(raw, "message", str))
    raise BadScript('`sse_error` must be a type such as "overloaded_error", or {"type": …, "message": …}')


def _tools(raw: dict[str, Any]) -> tuple[ToolCall, ...]:
    calls = list(fields.read(raw, "tools", list) or [])
    if "tool" in raw:
        calls.append({"tool": raw["tool"], "input": raw.get("input", {})})
    elif "input" in raw:
        raise BadScript("`input` needs a `tool`")
    for call in calls:
        if not isinstance(call, dict) or not isinstance(call.get("tool"), str) or not isinstance(call.get("input", {}), dict):
            raise BadScript(f'a tool call is {{"tool": "Bash", "input": {{…}}}}, not {call!r}')
        fields.known(call, {"tool", "input"})
    return tuple(ToolCall(call["tool"], call.get("input", {})) for call in calls)


def _gate(raw: dict[str, Any]) -> str | None:
    until = fields.read(raw, "until", dict)
    if until is None:
        return None
    fields.known(until, {"gate"})
    gate = fields.read(until, "gate", str)
    if not gate or "/" in gate:
        raise BadScript('`until` must be {"gate": "name"}, without a slash in the name')
    return gate


def _expect(raw: dict[str, Any]) -> tuple[str, ...]:
    expect = raw.get("expect", [])
    texts = [expect] if isinstance(expect, str) else expect
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise BadScript("`expect` must be a text or a list of texts")
    return tuple(texts)


def _otherwise(raw: dict[str, Any]) -> Step | None:
    if "else" in raw and "expect" not in raw:
        raise BadScript("`else` needs an `expect`")
    otherwise = raw.get("else")
    if otherwise is None:
        return None
    return parse_step({"text": otherwise} if isinstance(otherwise, str) else otherwise)


def _place(raw: dict[str, Any], step: Step) -> Place:
    usual = Place.HEADERS if step.fault else Place.MIDDLE if step.drop else Place.START
    at = raw.get("at", usual)
    if at not in list(Place):
        raise BadScript(f"`at` must be one of {', '.join(Place)}, not {at!r}")
    if at == Place.HEADERS and step.sse_error:
        raise BadScript("`sse_error` needs a stream that has begun: `at` start or middle")
    if at != Place.HEADERS and step.fault:
        raise BadScript("`fault` comes before the headers: leave `at` out")
    return Place(at)
