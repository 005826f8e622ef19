"""What an answer used, read from a copy of its bytes.

The API's own figures count, never our own guess of them: `message_start` gives the input, each `message_delta` the newest
totals. Only a stream that ended before its last word is estimated, and then not lower than what the API bills:

    message_start seen   output = max(reported, half the bytes of what was generated, rounded up)
    nothing seen         input  = half the bytes of the request (a token has two bytes or more), output likewise, and for
                         an answer in one piece everything the request allowed
    refused, hung up     nothing: the provider never began an answer
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import orjson

from stint.gateway.admit import Ask
from stint.gateway.errors import LastError
from stint.gateway.sse import EventReader
from stint.gateway.usage import Metered, Part, Tokens

MAX_BODY = 32 << 20  # bytes of an answer in one piece that are kept for its usage
LARGEST_CONTEXT = 1_000_000  # tokens; an estimate never says more went in, or came out, than any model takes


class Ending(enum.Enum):
    """How an answer ended."""

    COMPLETE = "complete"
    HUNG_UP = "the provider closed the connection"
    GIVEN_UP = "the agent left, the provider was silent for too long, or the gateway was stopped"


class Meter(Protocol):
    """Reads along; `started` is true once the model has begun to answer, `model` is the one that did."""

    started: bool
    model: str | None
    error: LastError | None

    def feed(self, chunk: bytes) -> None: ...

    def settle(self, ending: Ending) -> Metered | None:
        """What the request used, None for nothing. Called once, at the end."""


def half(size: int) -> int:
    return (size + 1) // 2


def unanswered(ask: Ask, seen: int = 0) -> Metered:
    """A request that went out and whose answer, or its usage, never came; `seen` are bytes of an answer without a usage."""
    return at_most(replace(ask, max_tokens=half(seen) if ask.stream or seen else ask.max_tokens))


def at_most(ask: Ask) -> Metered:
    """What a request may use if nobody is left to read its answer: everything it allowed."""
    tokens = Tokens(input=min(half(ask.size), LARGEST_CONTEXT), output=min(ask.max_tokens, LARGEST_CONTEXT))
    return Metered((Part(None, tokens),), estimated=True)


class StreamMeter:
    """Meters server-sent events."""

    def __init__(self, ask: Ask, encoding: str) -> None:
        self._ask = ask
        self._decode = Decoder(encoding)
        self._events = EventReader()
        self._usage: dict[str, Any] = {}
        self._generated = 0  # bytes of text, thinking and partial JSON so far
        self._bytes = 0
        self._final = False
        self.started = False
        self.model: str | None = None
        self.error: LastError | None = None

    def feed(self, chunk: bytes) -> None:
        self._bytes += len(chunk)
        for data in self._events.feed(self._decode(chunk)):
            self._event(data)

    def settle(self, ending: Ending) -> Metered | None:
        for data in self._events.close():
            self._event(data)
        if not self.started:
            if self.error is not None or (ending is Ending.HUNG_UP and not self._bytes):
                return None
            return unanswered(self._ask, self._bytes)
        parts = parts_of(self._usage, self.model)
        if self._final:
            return Metered(parts)
        answer = parts[0].tokens
        output = max(answer.output, half(self._generated))
        return Metered((Part(self.model, with_output(answer, output)), *parts[1:]), estimated=True)

    def _event(self, data: bytes) -> None:
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            return
        match event:
            case {"type": "content_block_delta", "delta": dict(delta)}:
                self._generated += written(delta)
            case {"type": "content_block_start", "content_block": {"data": str(hidden)}}:
                self._generated += len(hidden)
            case {"type": "message_start", "message": dict(message)}:
                self.started = True
                self.model = name_in(message)
                self._take(message.get("usage"))
            case {"type": "message_delta", "usage": dict(usage)}:
                self._take(usage)
                delta = event.get("delta")
                self._final = isinstance(delta, dict) and delta.get("stop_reason") is not None
            case {"type": "message_stop"}:
                self._final = self.started
            case {"type": "error", "error": dict(error)}:
                self.error = LastError(200, str(error.get("type") or "api_error"), str(error.get("message") or ""))

    def _take(self, usage: object) -> None:
        """The newest value wins; a null says nothing new."""
        if isinstance(usage, dict):
            self._usage.update({key: value for key, value in usage.items() if value is not None})


class BodyMeter:
    """Meters an answer in one piece of JSON."""

    def __init__(self, ask: Ask, encoding: str) -> None:
        self._ask = ask
        self._decode = Decoder(encoding)
        self._body = bytearray()
        self._bytes = 0
        self.started = False
        self.model: str | None = None
        self.error: LastError | None = None

    def feed(self, chunk: bytes) -> None:
        self._bytes += len(chunk)
        if len(self._body) <= MAX_BODY:
            self._body += self._decode(chunk)

    def settle(self, ending: Ending) -> Metered | None:
        try:
            message = orjson.loads(self._body)
        except orjson.JSONDecodeError:
            message = None
        if isinstance(message, dict) and isinstance(message.get("usage"), dict):
            self.started = True
            self.model = name_in(message)
            return Metered(parts_of(message["usage"], self.model))
        if ending is Ending.HUNG_UP and not self._bytes:
            return None
        return unanswered(self._ask, self._bytes if ending is Ending.COMPLETE else 0)


def parts_of(usage: Mapping[str, Any], model: str | None) -> tuple[Part, ...]:
    """The tokens of a `usage` object.

    Work that another sampling did inside the request (a compaction, an advising model) is billed, but stands only in
    `iterations`; those of type `message` are what the totals already hold.
    """
    searches = usage.get("server_tool_use")
    answer = Part(model, _tokens(usage, count(searches, "web_search_requests") if isinstance(searches, dict) else 0))
    iterations = usage.get("iterations")
    extra = [
        Part(name_in(iteration) or model, _tokens(iteration, 0))
        for iteration in (iterations if isinstance(iterations, list) else ())
        if isinstance(iteration, dict) and iteration.get("type", "message") != "message"
    ]
    return (answer, *extra)


def _tokens(usage: Mapping[str, Any], web_searches: int) -> Tokens:
    split = usage.get("cache_creation")
    hour = count(split, "ephemeral_1h_input_tokens") if isinstance(split, dict) else 0
    minutes = count(split, "ephemeral_5m_input_tokens") if isinstance(split, dict) else 0
    # What the split leaves out was written with the default lifetime, five minutes.
    minutes += max(0, count(usage, "cache_creation_input_tokens") - hour - minutes)
    return Tokens(
        input=count(usage, "input_tokens"),
        output=count(usage, "output_tokens"),
        cache_read=count(usage, "cache_read_input_tokens"),
        cache_write_5m=minutes,
        cache_write_1h=hour,
        web_searches=web_searches,
    )


def with_output(tokens: Tokens, output: int) -> Tokens:
    return Tokens(tokens.input, output, tokens.cache_read, tokens.cache_write_5m, tokens.cache_write_1h, tokens.web_searches)


def count(usage: Mapping[str, Any], key: str) -> int:
    value = usage.get(key)
    return value if isinstance(value, int) and value > 0 else 0


def name_in(message: Mapping[str, Any]) -> str | None:
    name = message.get("model")
    return name if isinstance(name, str) and name else None


def written(delta: Mapping[str, Any]) -> int:
    """Bytes a delta adds to what was generated: text, thinking, its signature, partial JSON."""
    return sum(len(value.encode()) for key, value in delta.items() if key != "type" and isinstance(value, str))


class Decoder:
    """Undoes gzip or deflate for the meter; the agent gets the bytes as they came. A broken stream decodes to nothing more."""

    ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate")

    def __init__(self, encoding: str) -> None:
        self._inflate = None if encoding in ("", "identity") else zlib.decompressobj(47)

    def __call__(self, chunk: bytes) -> bytes:
        if self._inflate is None:
            return chunk
        try:
            return self._inflate.decompress(chunk)
        except zlib.error:
            return b""
