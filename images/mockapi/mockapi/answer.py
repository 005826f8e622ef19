"""An answer: the message a step amounts to, and the pieces it is streamed in."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from mockapi.steps import DONE_TEXT, Step
from mockapi.usage import Usage, count

_SIGNATURE = "bW9ja2FwaQ=="
_PIECE = 200  # characters of a piece when the step does not say how many chunks


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event, and how many characters of the answer it carries."""

    data: bytes
    characters: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    model: str
    blocks: list[dict[str, Any]]
    usage: Usage
    stop: str
    ident: str

    @property
    def characters(self) -> int:
        return sum(len(_content(block)) for block in self.blocks)

    def message(self) -> dict[str, Any]:
        """The whole message, as in an answer that is not streamed."""
        return {**self.opening(), "content": self.blocks, "stop_reason": self.stop, "usage": self.usage.whole()}

    def opening(self) -> dict[str, Any]:
        """The message of `message_start`: its input is counted, its output has only begun."""
        return {
            "id": self.ident,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": self.usage.with_output(1).whole(),
        }

    def frames(self, chunks: int | None) -> Iterator[Frame]:
        """The events between `message_start` and `message_delta`."""
        for index, block in enumerate(self.blocks):
            yield event("content_block_start", index=index, content_block=_begun(block))
            if index == 0:
                yield event("ping")
            content, kind = _content(block), block["type"]
            for piece in _pieces(content, chunks):
                yield event("content_block_delta", characters=len(piece), index=index, delta=_delta(kind, piece))
            if kind == "thinking":
                yield event("content_block_delta", index=index, delta={"type": "signature_delta", "signature": block["signature"]})
            yield event("content_block_stop", index=index)

    def ending(self) -> Iterator[Frame]:
        yield event("message_delta", delta={"stop_reason": self.stop, "stop_sequence": None}, usage=self.usage.delta())
        yield event("message_stop")


def answer(step: Step, model: str, messages: object) -> Answer:
    blocks: list[dict[str, Any]] = []
    if step.thinking is not None:
        blocks.append({"type": "thinking", "thinking": step.thinking, "signature": _SIGNATURE})
    text = DONE_TEXT if step.text is None and not step.tools else step.text
    if text:
        blocks.append({"type": "text", "text": text})
    for call in step.tools:
        blocks.append({"type": "tool_use", "id": "toolu_" + secrets.token_hex(12), "name": call.name, "input": call.input})
    usage = count(messages, sum(len(_content(block)) for block in blocks), step.usage)
    stop = step.stop or ("tool_use" if step.tools else "end_turn")
    return Answer(model, blocks, usage, stop, "msg_" + secrets.token_hex(12))


def event(kind: str, *, characters: int = 0, **content: Any) -> Frame:
    return Frame(b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **content})), characters)


def _begun(block: dict[str, Any]) -> dict[str, Any]:
    """A block before its first delta."""
    empty: dict[str, dict[str, Any]] = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
    return {**block, **empty[block["type"]]}


def _content(block: dict[str, Any]) -> str:
    """What of a block is output: its text, or the JSON of a tool's input."""
    kind = block["type"]
    return orjson.dumps(block["input"]).decode() if kind == "tool_use" else str(block[kind])


def _delta(kind: str, piece: str) -> dict[str, str]:
    if kind == "tool_use":
        return {"type": "input_json_delta", "partial_json": piece}
    return {"type": f"{kind}_delta", kind: piece}


def _pieces(content: str, chunks: int | None) -> list[str]:
    """At least two, so that there is a middle, unless asked otherwise or too short."""
    wanted = chunks or max(2, min(32, len(content) // _PIECE))
    size = max(1, -(-len(content) // wanted))
    return [content[start : start + size] for start in range(0, len(content), size)]
