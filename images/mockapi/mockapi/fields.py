"""Reading what a user wrote: each function returns a checked value, or raises a sentence that says what is expected."""

import math
from collections.abc import Iterable
from typing import Any, TypeVar

from mockapi.errors import BadScript

FOR_EVER = 86_400.0  # seconds; nobody waits for an answer longer than a day

T = TypeVar("T")


def known(raw: dict[str, Any], keys: Iterable[str]) -> None:
    """Refuses a key that means nothing: a script with a typo would test nothing."""
    if unknown := sorted(set(raw) - set(keys)):
        raise BadScript(f"unknown key {', '.join(unknown)}; known are {', '.join(sorted(keys))}")


def read(raw: dict[str, Any], key: str, kind: type[T]) -> T | None:
    value = raw.get(key)
    if value is None or isinstance(value, kind):
        return value
    raise BadScript(f"`{key}` must be {_NAMES[kind]}, not {value!r}")


def count(raw: dict[str, Any], key: str, least: int) -> int | None:
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadScript(f"`{key}` must be a whole number of at least {least}, not {value!r}")
    return value


def seconds(raw: dict[str, Any], key: str) -> float:
    """0 when absent; `true` means for ever."""
    value = raw.get(key, 0)
    if isinstance(value, bool):
        return FOR_EVER if value else 0
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise BadScript(f"`{key}` must be a number of seconds, not {value!r}")
    return min(float(value), FOR_EVER)


_NAMES: dict[type, str] = {str: "a string", bool: "true or false", dict: "an object", list: "a list"}
