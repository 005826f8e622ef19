"""Reading what an agent pod leaves behind: the runner's result and the gateway's report (docs/reference/pod-contract.md).

Both are JSON that somebody else wrote; the result may even be the agent's own forgery. Reading is therefore strict about types, and what cannot
be read is None, never an error.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from stint.engine.conditions import moment

CONTRACT = 1
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
    return Result(
        outcome=document["outcome"],
        text=_text(document.get("text")),
        structured=document.get("structured"),
        truncated=document.get("truncated") is True,
        error_class=_text(error.get("class"))[:64],
        error_message=_text(error.get("message")),
        api_status=_status(error.get("apiStatus")),
        resets_at=_moment(error.get("resetsAt")),
        turns=_count(document.get("turns")),
        tools=tuple(tool for tool in document.get("tools") or () if isinstance(tool, dict)),
    )


def read_init_error(text: str) -> tuple[str, str] | None:
    """Class and message of an init container that failed."""
    document = _document(text)
    error = document.get("error") if document else None
    return (_text(error.get("class"))[:64], _text(error.get("message"))) if isinstance(error, dict) else None


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
    return Report(
        usage=read_usage(usage),
        by_model={name: read_usage(value) for name, value in models.items()} if isinstance(models, dict) else {},
        limit_reached=document.get("limitReached"),
        output_sha256=output.get("sha256"),
        output_valid=output.get("valid") is True,
        output_error=_text(output.get("error")),
        previous={
            item["pod"]: (_count(item.get("attempt")), read_usage(item["usage"]))
            for item in document.get("previous") or ()
            if isinstance(item, dict) and isinstance(item.get("usage"), dict) and isinstance(item.get("pod"), str)
        },
    )


def read_usage(document: dict[str, Any]) -> Usage:
    """Usage as the report and the status write it."""
    try:
        cost = Decimal(str(document.get("cost", "0")))
    except InvalidOperation:
        cost = Decimal(0)
    return Usage(
        **{name: _count(document.get(name)) for name in COUNTS}, cost=max(cost, Decimal(0)), estimated=document.get("estimated") is True
    )


def canonical_sha256(value: Any) -> str:
    """The hash of a JSON value with sorted keys and no spaces, as the gateway computes it."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _document(text: str) -> dict[str, Any] | None:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) and document.get("version") == CONTRACT else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else 0


def _status(value: Any) -> int | None:
    return value if isinstance(value, int) and 100 <= value <= 599 else None


def _moment(value: Any) -> datetime | None:
    try:
        when = moment(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return when if when is not None and when.tzinfo is not None else None
