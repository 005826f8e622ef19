"""Reading what an agent pod leaves behind: the runner's result and the gateway's report (docs/reference/pod-contract.md).

Both are JSON that somebody else wrote; the result may even be the agent's own forgery. Reading is therefore strict about types, and what cannot
be read is None, never an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from stint import canonical
from stint.engine.conditions import moment
from stint.providers.window import STATUSES as WINDOW_STATUSES
from stint.providers.window import Window
from stint.sessions.failures import POLICIES

CONTRACT = 1
AGENT_CRASHED = "AgentCrashed"
ERROR_CLASSES = frozenset(POLICIES) - {"StartTimeout"}
"""The classes of the contract; a result that names another is not believed."""
MOST_COST = Decimal(10**9)
DEEPEST, MODEL_NAME, MOST_TURNS, MESSAGE = 64, 256, 1_000_000, 2048
MOST_WINDOWS, WINDOW_NAME = 8, re.compile("[A-Za-z0-9]{1,48}")
LIMITS = ("cost", "tokens", "inputTokens", "outputTokens")
COUNTS = ("requests", "inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money (USD) of one attempt."""

    requests: int = 0
    inputTokens: int = 0  # noqa: N815 - the names of the contract and of the status, so that there is one word for each
    outputTokens: int = 0  # noqa: N815
    cacheReadTokens: int = 0  # noqa: N815
    cacheWriteTokens: int = 0  # noqa: N815
    cost: Decimal = Decimal(0)
    estimated: bool = False

    @property
    def tokens(self) -> int:
        return self.inputTokens + self.outputTokens + self.cacheReadTokens + self.cacheWriteTokens


@dataclass(frozen=True, slots=True)
class Report:
    """What the gateway says: the only source of what is billed."""

    usage: Usage
    by_model: dict[str, Usage] = field(default_factory=dict)
    limit_reached: str | None = None
    last_status: int | None = None
    """HTTP status of the model API's last refusal."""
    retry_after: datetime | None = None
    """The moment before which the model's API did not want to be asked again, if its last refusal named one."""
    last_answer: str = ""
    """What the model API's last answer says about it: `Good`, a class of errors, or `Refused`; empty for none."""
    has_answered: bool = False
    """The model has answered at least once."""
    windows: tuple[Window, ...] = ()
    output_sha256: str | None = None
    output_valid: bool = False
    output_error: str = ""
    previous: dict[str, tuple[int, Usage]] = field(default_factory=dict)
    """Pod uid → (attempt, usage) of earlier pods on the same volume."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the runner says: the answer, or why there is none."""

    outcome: str
    text: str = ""
    structured: Any = None
    storable: bool = True
    """Whether ``structured`` is neither nested too deeply nor holds integers that an API object cannot hold."""
    truncated: bool = False
    error_class: str = ""
    error_message: str = ""
    api_status: int | None = None
    resets_at: datetime | None = None
    turns: int = 0
    tools: tuple[dict[str, Any], ...] = ()


def read_result(text: str) -> Result | None:
    """The runner's result, from a termination message or from the last line of the log."""
    document = _document(text)
    if document is None or document.get("outcome") not in ("Succeeded", "Failed", "Interrupted"):
        return None
    error = document.get("error")
    error = error if isinstance(error, dict) else {}
    structured = document.get("structured")
    return Result(
        outcome=document["outcome"],
        text=_text(document.get("text")),
        structured=structured,
        storable=_storable(structured),
        truncated=document.get("truncated") is True,
        error_class=_class(error.get("class"), AGENT_CRASHED) if error else "",
        error_message=_text(error.get("message"))[:MESSAGE],
        api_status=_status(error.get("apiStatus")),
        resets_at=_moment(error.get("resetsAt")),
        turns=min(_count(document.get("turns")), MOST_TURNS),
        tools=tuple(_tool(tool) for tool in _list(document.get("tools")) if isinstance(tool, dict)),
    )


def read_init_error(text: str, otherwise: str) -> tuple[str, str] | None:
    """Class (``otherwise`` when it names none that we know) and message of an init container that failed."""
    document = _document(text)
    error = document.get("error") if document else None
    return (_class(error.get("class"), otherwise), _text(error.get("message"))[:MESSAGE]) if isinstance(error, dict) else None


def last_result(log_tail: str) -> Result | None:
    """The full result from the end of a log: the runtime may have split the last line, so the pieces are joined."""
    start = log_tail.rfind('{"type":"stint_result"')
    start = log_tail.rfind('{"type": "stint_result"') if start < 0 else start
    return None if start < 0 else read_result(log_tail[start:].replace("\n", ""))


def read_report(text: str) -> Report | None:
    """The gateway's report."""
    document = _document(text)
    if document is None or not isinstance(document.get("usage"), dict):
        return None
    usage = document["usage"]
    output = document.get("output")
    output = output if isinstance(output, dict) else {}
    models = usage.get("byModel")
    limit = document.get("limitReached")
    refusal = document.get("lastError")
    refusal = refusal if isinstance(refusal, dict) else {}
    return Report(
        usage=read_usage(usage),
        by_model={
            name: read_usage(value)
            for name, value in (models if isinstance(models, dict) else {}).items()
            if isinstance(value, dict) and 0 < len(name) <= MODEL_NAME
        },
        limit_reached=limit if limit in LIMITS else None,
        last_status=_status(refusal.get("status")),
        retry_after=_moment(refusal.get("retryAfter")),
        last_answer=_text(document.get("lastAnswer")),
        has_answered=isinstance(document.get("firstGoodAnswer"), str),
        windows=tuple(_windows(document.get("windows"))),
        output_sha256=output.get("sha256"),
        output_valid=output.get("valid") is True,
        output_error=_text(output.get("error")),
        previous={
            item["pod"]: (_count(item.get("attempt")), read_usage(item["usage"]))
            for item in _list(document.get("previous"))
            if isinstance(item, dict) and isinstance(item.get("usage"), dict) and isinstance(item.get("pod"), str)
        },
    )


def _windows(document: Any) -> Iterator[Window]:
    for name, told in list(document.items())[:MOST_WINDOWS] if isinstance(document, dict) else ():
        seen = _moment(told.get("seen")) if isinstance(told, dict) else None
        if seen is None or told.get("status") not in WINDOW_STATUSES or not WINDOW_NAME.fullmatch(name):
            continue
        utilization = told.get("utilization")
        whole = isinstance(utilization, int) and not isinstance(utilization, bool) and 0 <= utilization <= 1000
        yield Window(name, told["status"], utilization if whole else None, _moment(told.get("resetsAt")), seen)


def read_usage(document: dict[str, Any]) -> Usage:
    """Usage as the report and the status write it."""
    try:
        cost = Decimal(str(document.get("cost", "0")))
    except InvalidOperation:
        cost = Decimal(0)
    cost = min(max(cost, Decimal(0)), MOST_COST) if cost.is_finite() else Decimal(0)
    return Usage(**{name: _count(document.get(name)) for name in COUNTS}, cost=cost, estimated=document.get("estimated") is True)


def _document(text: str) -> dict[str, Any] | None:
    try:
        document = canonical.parse(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and document.get("version") == CONTRACT else None


def _storable(value: Any, depth: int = 0) -> bool:
    """Whether the API server can keep this value as it is."""
    if depth > DEEPEST:
        return False
    if isinstance(value, dict):
        return all(_is_text(name) and _storable(item, depth + 1) for name, item in value.items())
    if isinstance(value, list):
        return all(_storable(item, depth + 1) for item in value)
    if isinstance(value, str):
        return _is_text(value)
    return not isinstance(value, int | float) or -(2**63) <= value < 2**63 or (isinstance(value, float) and math.isfinite(value))


def _is_text(value: str) -> bool:
    """Not with half a surrogate pair in it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": _text(tool.get("name"))[:MODEL_NAME],
        "status": _text(tool.get("status"))[:64],
        "required": tool.get("required") is True,
        "error": _text(tool.get("error"))[:1024],
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _class(value: Any, otherwise: str) -> str:
    return value if isinstance(value, str) and value in ERROR_CLASSES else otherwise


def _text(value: Any) -> str:
    """Text that can be written as UTF-8: half a surrogate pair becomes a question mark."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else 0


def _status(value: Any) -> int | None:
    return value if isinstance(value, int) and 100 <= value <= 599 else None


def _moment(value: Any) -> datetime | None:
    try:
        when = moment(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return when if when is not None and when.tzinfo is not None and 2000 <= when.year < 2200 else None
