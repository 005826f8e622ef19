"""What the runner hands back: the termination message, and the last line of the log.

Kubernetes keeps 4096 bytes of a termination message and cuts the rest blindly, which would leave broken JSON; so the message is
made to fit here, giving up the least useful parts first: the end of the text, then the structured output, then details of tools.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from . import VERSION
from .errors import Error

SUCCEEDED = "Succeeded"
FAILED = "Failed"
INTERRUPTED = "Interrupted"

TERMINATION_BYTES = 4096
LOG_LINE_BYTES = 64 * 1024
LOG_TEXT_BYTES = 32 * 1024
ERROR_BYTES = 1024
TOOL_ERROR_BYTES = 200


@dataclass(frozen=True)
class ToolState:
    """An MCP server as the CLI saw it before the first request."""

    name: str
    status: str
    required: bool
    error: str | None


@dataclass(frozen=True)
class Result:
    outcome: str
    attempt: int = 0
    text: str = ""
    structured: object = None
    truncated: bool = False
    error: Error | None = None
    turns: int = 0
    conversation: str | None = None
    resumed: bool = False
    first_request_seconds: float | None = None
    tools: tuple[ToolState, ...] = ()

    @property
    def exit_code(self) -> int:
        return 0 if self.outcome == SUCCEEDED else 1


def termination_message(result: Result) -> bytes:
    """The result as JSON of at most 4096 bytes."""
    return _fit(_bounded(result), TERMINATION_BYTES, _document)


def log_line(result: Result) -> bytes:
    """The result as the last line of the log, newline included, at most 64 KiB."""
    whole = _bounded(result)
    text = cut(whole.text, LOG_TEXT_BYTES)
    bounded = replace(whole, text=text, truncated=whole.truncated or text != whole.text)
    return _fit(bounded, LOG_LINE_BYTES - 1, _line) + b"\n"


def init_message(error: Error) -> bytes:
    """The termination message of `clone` and `continue`, which have an error or nothing to say."""
    return _json({"version": VERSION, "error": {"class": error.kind, "message": _plain(error.message, ERROR_BYTES)}})


def cut(text: str, size: int) -> str:
    """The longest beginning of `text` that is at most `size` bytes of UTF-8."""
    encoded = text.encode("utf-8", "replace")
    return encoded[:size].decode("utf-8", "ignore") if len(encoded) > size else text


def _document(result: Result) -> dict[str, object]:
    error = result.error
    return {
        "version": VERSION,
        "attempt": result.attempt,
        "outcome": result.outcome,
        "text": result.text,
        "structured": result.structured,
        "truncated": result.truncated,
        "error": None
        if error is None
        else {
            "class": error.kind,
            "message": error.message,
            "apiStatus": error.api_status,
            "resetsAt": None if error.resets_at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(error.resets_at)),
        },
        "turns": result.turns,
        "conversation": result.conversation,
        "resumed": result.resumed,
        "firstRequestSeconds": result.first_request_seconds,
        "tools": [asdict(tool) for tool in result.tools],
    }


def _line(result: Result) -> dict[str, object]:
    return {"type": "stint_result", **_document(result)}


def _bounded(result: Result) -> Result:
    """The result with its error messages cut to a readable length."""
    error = result.error and replace(result.error, message=_plain(result.error.message, ERROR_BYTES))
    tools = tuple(replace(tool, error=tool.error and _plain(tool.error, TOOL_ERROR_BYTES)) for tool in result.tools)
    return replace(result, error=error, tools=tools)


def _plain(text: str, size: int) -> str:
    """`text` without control characters, which JSON would write as six bytes each."""
    return cut("".join(char if char >= " " or char == "\n" else " " for char in text), size)


def _fit(result: Result, size: int, shape: Callable[[Result], dict[str, object]]) -> bytes:
    """`result`, or as much of it as encodes to at most `size` bytes."""

    def encode(text: str) -> bytes:
        return _json(shape(replace(result, text=text)))

    if len(encoded := encode(result.text)) <= size:
        return encoded
    whole = result.text
    result = replace(result, structured=None, truncated=True)
    if len(encode("")) > size:
        result = replace(result, tools=tuple(replace(tool, error=None) for tool in result.tools))
    while result.tools and len(encode("")) > size:
        result = replace(result, tools=_without_one(result.tools))
    low, high = 0, min(size, len(whole.encode("utf-8", "replace")))
    while low < high:  # how much of the text fits depends on how much of it has to be escaped
        middle = (low + high + 1) // 2
        if len(encode(cut(whole, middle))) <= size:
            low = middle
        else:
            high = middle - 1
    return encode(cut(whole, low))


def _without_one(tools: tuple[ToolState, ...]) -> tuple[ToolState, ...]:
    """Servers that work are the least interesting, so one of those goes first."""
    index = next((index for index, tool in enumerate(tools) if tool.status == "connected"), len(tools) - 1)
    return tools[:index] + tools[index + 1 :]


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
