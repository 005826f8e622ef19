"""The script in the prompt: find it, find the step that is due, and what to say when there is none.

The newest user text that holds `MOCK:[…]` is the script; the step that is due is the number of assistant turns since. Both are
read from the conversation in the request, so the server remembers nothing: a resumed conversation, a retried pod or another
replica goes on where the conversation stands.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mockapi.errors import BadScript
from mockapi.schema import example
from mockapi.steps import DONE_TEXT, Step, ToolCall, parse_script

Body = dict[str, Any]

MARKER = "MOCK:["
OUTPUT_TOOL = "StructuredOutput"
DONE = Step(text=DONE_TEXT)
_FILLER = "No response requested."
_HINT = 160
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Due:
    """The step to play now. `script` is a digest of the directive, empty without one."""

    step: Step
    index: int
    script: str


def due_step(body: Body) -> Due:
    """Raises BadScript if the directive is not one."""
    messages = body["messages"]
    for position in range(len(messages) - 1, -1, -1):
        for text in reversed(list(_texts_of_user(messages[position]))):
            if (start := text.find(MARKER)) < 0:
                continue
            raw, end = _decode(text, start)
            steps = parse_script(raw)
            index = _turns(messages[position + 1 :])
            step = steps[index] if index < len(steps) else DONE
            return Due(_expected(step, body), index, hashlib.sha256(text[start:end].encode()).hexdigest()[:12])
    return Due(_unscripted(body), 0, "")


def last_prompt(messages: list[Any]) -> str:
    """The newest text of the user; reminders that the CLI adds are no prompt."""
    for message in reversed(messages):
        for text in reversed(list(_texts_of_user(message))):
            if _is_prompt(text):
                return text
    return ""


def _is_prompt(text: str) -> bool:
    return bool(text.strip()) and not text.lstrip().startswith("<system-reminder>")


def _decode(text: str, start: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, start + len(MARKER) - 1)
    except ValueError as error:
        raise BadScript(f"what follows MOCK: is not JSON ({error})") from error


def _turns(messages: list[Any]) -> int:
    """Assistant messages, where neighbours count as one: they are one turn that was stored in parts.

    A turn that was cut off by the end of its pod is not in the conversation; the CLI puts its own filler there when it resumes,
    which does not count, so the step is played again.
    """
    roles = [message.get("role") for message in messages if isinstance(message, dict) and list(_texts(message.get("content"))) != [_FILLER]]
    return sum(role == "assistant" and (n == 0 or roles[n - 1] != "assistant") for n, role in enumerate(roles))


def _expected(step: Step, body: Body) -> Step:
    missing = [text for text in step.expect if not any(text in part for part in _conversation(body))]
    if not missing:
        return step
    return step.otherwise or Step(text=f"mockapi: the conversation lacks {', '.join(map(repr, missing))}")


def _conversation(body: Body) -> Iterator[str]:
    """Every text that reached the API, system prompt and tool results included, but no directive: it names what it expects."""
    system = body.get("system")
    yield from _texts(system) if isinstance(system, list) else [str(system or "")]
    for message in body["messages"]:
        for text in _texts(message.get("content")) if isinstance(message, dict) else ():
            yield _without_directives(text)


def _without_directives(text: str) -> str:
    kept, position = [], 0
    while (start := text.find(MARKER, position)) >= 0:
        kept.append(text[position:start])
        try:
            position = _decode(text, start)[1]
        except BadScript:
            position = start + len(MARKER)
    return "".join([*kept, text[position:]])


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == "text":
            yield str(block.get("text", ""))
        elif isinstance(block, dict) and block.get("type") == "tool_result":
            yield from _texts(block.get("content"))


def _texts_of_user(message: object) -> Iterator[str]:
    """What the user said; a tool's result is not the user's word."""
    if not isinstance(message, dict) or message.get("role") != "user":
        return
    content = message.get("content")
    blocks = [block for block in content if isinstance(block, dict) and block.get("type") == "text"] if isinstance(content, list) else content
    yield from _texts(blocks)


def _unscripted(body: Body) -> Step:
    """An answer to a prompt without a script: useful to somebody who tries Stint for the first time."""
    tools = body.get("tools")
    schema = next((tool.get("input_schema") for tool in tools or () if isinstance(tool, dict) and tool.get("name") == OUTPUT_TOOL), None)
    if schema is not None and not _answered(body["messages"]):
        value = example(schema)
        return Step(tools=(ToolCall(OUTPUT_TOOL, value if isinstance(value, dict) else {}),))
    prompt = " ".join(last_prompt(body["messages"]).split())
    hint = prompt if len(prompt) <= _HINT else prompt[:_HINT].rstrip() + "…"
    return Step(
        text=(
            "Hello from Stint's mock API. No model was asked, no key was needed and nothing was billed, "
            "but everything else about this session is real: its pod, its workspace, its budget and its account of tokens.\n\n"
            f"Your prompt arrived: “{hint}”\n\n"
            'To decide what I answer, put a script into the prompt, for example MOCK:[{"text": "hello"}]; see docs/mockapi.md.'
        )
    )


def _answered(messages: list[Any]) -> bool:
    """Whether the structured output was already handed over since the user last spoke."""
    for message in reversed(messages):
        if any(map(_is_prompt, _texts_of_user(message))):
            return False
        content = message.get("content") if isinstance(message, dict) else None
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") == "tool_use" and block.get("name") == OUTPUT_TOOL:
                return True
    return False
