"""Typed access to a JSON object, with an error that says which field is wrong and what was expected there."""

import re
from dataclasses import dataclass

from .errors import INPUT_INVALID, Failed

_IDENTIFIER = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Fields:
    """One JSON object; `path` is where it stands in the document. A field that is null counts as absent."""

    values: dict[str, object]
    path: str

    @staticmethod
    def of(document: object, path: str) -> "Fields":
        if not isinstance(document, dict):
            raise Failed(INPUT_INVALID, f"{path}: an object is needed")
        return Fields(document, path)

    def wrong(self, name: str, expected: str) -> Failed:
        return Failed(INPUT_INVALID, f"{self.path}.{name}: {expected}")

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if not isinstance(value, str):
            raise self.wrong(name, "a text is needed")
        return value

    def text_or_none(self, name: str) -> str | None:
        return self.text(name) if self.has(name) else None

    def identifier(self, name: str) -> str:
        """A UUID: it becomes a file name and an argument, so nothing else may pass."""
        value = self.text(name)
        if not _IDENTIFIER.fullmatch(value):
            raise self.wrong(name, "a UUID is needed")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in choices:
            raise self.wrong(name, f"one of {', '.join(choices)} is needed, not {value!r}")
        return value

    def whole(self, name: str) -> int:
        value = self.values.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(name, "a whole number is needed")
        return value

    def number(self, name: str) -> float:
        value = self.values.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong(name, "a number is needed")
        return float(value)

    def flag(self, name: str) -> bool:
        value = self.values.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false is needed")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(name, "a list of texts is needed")
        return tuple(value)

    def mapping(self, name: str) -> dict[str, object]:
        return self.child(name).values

    def child(self, name: str) -> "Fields":
        return Fields.of(self.values.get(name), f"{self.path}.{name}")

    def children(self, name: str) -> tuple["Fields", ...]:
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.wrong(name, "a list is needed")
        return tuple(Fields.of(each, f"{self.path}.{name}[{index}]") for index, each in enumerate(value))
