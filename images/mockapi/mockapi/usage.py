"""Token counts: made up, but always the same for the same conversation, and shaped as the API sends them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from mockapi.errors import BadScript

CHARACTERS_PER_TOKEN = 4
_OVERRIDES = {"input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation", "service_tier"}
_WRITE_5M, _WRITE_1H = "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one response."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    service_tier: str = "standard"

    @property
    def cache_write(self) -> int:
        return self.cache_write_5m + self.cache_write_1h

    def with_output(self, tokens: int) -> "Usage":
        return replace(self, output=tokens)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write_5m + other.cache_write_5m,
            self.cache_write_1h + other.cache_write_1h,
        )

    def whole(self) -> dict[str, Any]:
        """As in `message_start` and in an answer that is not streamed."""
        return {
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.cache_write,
            "cache_read_input_tokens": self.cache_read,
            "cache_creation": {_WRITE_5M: self.cache_write_5m, _WRITE_1H: self.cache_write_1h},
            "output_tokens": self.output,
            "service_tier": self.service_tier,
        }

    def delta(self) -> dict[str, Any]:
        """As in `message_delta`: cumulative, and without the split of cache writes."""
        return {
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.cache_write,
            "cache_read_input_tokens": self.cache_read,
            "output_tokens": self.output,
        }


def tokens_of_messages(messages: object) -> int:
    return max(1, len(orjson.dumps(messages)) // CHARACTERS_PER_TOKEN)


def tokens_of_text(characters: int) -> int:
    return max(1, -(-characters // CHARACTERS_PER_TOKEN))


def count(messages: object, output_characters: int, override: Mapping[str, Any]) -> Usage:
    """What an answer of so many characters to these messages uses; `override` has the API's own names."""
    write_5m, write_1h = _writes(override)
    return Usage(
        input=override.get("input_tokens", tokens_of_messages(messages)),
        output=override.get("output_tokens", tokens_of_text(output_characters)),
        cache_read=override.get("cache_read_input_tokens", 0),
        cache_write_5m=write_5m,
        cache_write_1h=write_1h,
        service_tier=override.get("service_tier", "standard"),
    )


def check_override(raw: object) -> dict[str, Any]:
    """The `usage` of a step, as the user wrote it."""
    if not isinstance(raw, dict) or not set(raw) <= _OVERRIDES:
        raise BadScript(f"`usage` must be an object with some of {', '.join(sorted(_OVERRIDES))}")
    counts = {name: value for name, value in raw.items() if name not in ("cache_creation", "service_tier")}
    split = raw.get("cache_creation", {})
    if not isinstance(split, dict) or not set(split) <= {_WRITE_5M, _WRITE_1H}:
        raise BadScript(f"`usage.cache_creation` must be an object with {_WRITE_5M} and {_WRITE_1H}")
    for name, value in (counts | split).items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise BadScript(f"`usage`: {name} must be a whole number of tokens, not {value!r}")
    if split and raw.get("cache_creation_input_tokens", sum(split.values())) != sum(split.values()):
        raise BadScript("`usage`: cache_creation_input_tokens must be the sum of cache_creation")
    return raw


def _writes(override: Mapping[str, Any]) -> tuple[int, int]:
    split: Mapping[str, int] = override.get("cache_creation", {})
    if split:
        return split.get(_WRITE_5M, 0), split.get(_WRITE_1H, 0)
    return override.get("cache_creation_input_tokens", 0), 0
