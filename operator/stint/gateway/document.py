"""Reading a JSON document by hand: each value knows its path, so every complaint is a sentence that names the field.

A validation library would do this in fewer lines, but costs more memory than the rest of the gateway's own code, in a
container that runs beside every agent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_MONEY = re.compile(r"\d{1,12}(\.\d{1,12})?")


class ConfigError(Exception):
    """The description of what this gateway may do cannot be used; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value of the document and the path to it. Every reader raises ConfigError."""

    path: str
    value: Any

    def wrong(self, expected: str) -> ConfigError:
        return ConfigError(f"{self.path} must be {expected}, not {str(self.value)[:80]!r}")

    def get(self, key: str) -> Field:
        """The member `key` of an object; its value is None where it is absent."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return Field(f"{self.path}.{key}", self.value.get(key))

    def items(self) -> list[tuple[str, Field]]:
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return [(key, self.get(key)) for key in self.value]

    def optional(self, read: Callable[[Field], T]) -> T | None:
        return None if self.value is None else read(self)

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value:
            raise self.wrong("a text that is not empty")
        return self.value

    def texts(self) -> list[str]:
        if not isinstance(self.value, list):
            raise self.wrong("a list of texts")
        return [Field(f"{self.path}[{place}]", value).text() for place, value in enumerate(self.value)]

    def count(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            raise self.wrong("a whole number, 0 or more")
        return self.value

    def money(self) -> Decimal:
        if not isinstance(self.value, str) or not _MONEY.fullmatch(self.value):
            raise self.wrong('an amount in USD as a text, such as "1.25"')
        return Decimal(self.value)

    def one_of(self, names: tuple[str, ...]) -> str:
        if self.value not in names:
            raise self.wrong(f"one of {', '.join(names)}")
        return str(self.value)

    def url(self) -> str:
        """An http(s) address without a trailing slash; a user name in it would be a second, unprotected credential."""
        text = self.text()
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
            raise self.wrong("an address such as https://api.anthropic.com, without user, query and fragment")
        return text.rstrip("/")

    def schema(self) -> dict[str, Any] | bool:
        if not isinstance(self.value, dict | bool):
            raise self.wrong("a JSON Schema: an object, true or false")
        return self.value
