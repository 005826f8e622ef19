"""What every model of the API is built from.

Reading is lenient on purpose: an object that the controller sees has passed the API server, perhaps under an older CRD, so bounds
and patterns are *not* checked again here. They are written beside the field as `Schema(...)` and only go into the CRD.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

GROUP = "stint.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

DEFAULT = "x-stint-default"
"""Marks a default of the CRD, apart from the model's own, which pydantic writes as `default`."""
VALIDATIONS = "x-kubernetes-validations"

_CAPITALS = {"id": "ID", "uid": "UID", "url": "URL"}


def camel(name: str) -> str:
    """The name of a field in YAML: `session_id` is `sessionID`, `base_url` is `baseURL`."""
    first, *rest = name.split("_")
    return first + "".join(_CAPITALS.get(word, word[:1].upper() + word[1:]) for word in rest)


@dataclass(frozen=True)
class Rule:
    """A CEL rule of the CRD. `message` says what to write instead; `path` names the field that the refusal points at."""

    rule: str
    message: str
    path: str | None = None
    reason: str | None = None
    expression: str | None = None  # CEL that builds the message from the object; `message` is what remains when it cannot

    def document(self) -> dict[str, Any]:
        found = {
            "rule": self.rule,
            "message": self.message,
            "messageExpression": self.expression,
            "fieldPath": self.path,
            "reason": self.reason,
        }
        return {key: value for key, value in found.items() if value is not None}


class Schema:
    """Keywords and rules for the CRD that pydantic does not check. Used as `Annotated[str, Schema(maxLength=63)]`."""

    def __init__(self, *rules: Rule, **keywords: Any) -> None:
        self.rules = rules
        self.keywords = {DEFAULT if key == "default" else key: value for key, value in keywords.items()}

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core) | self.keywords
        if self.rules:
            schema[VALIDATIONS] = [*schema.get(VALIDATIONS, ()), *(rule.document() for rule in self.rules)]
        return schema


class InvalidObject(ValueError):
    """An object of the cluster that the models cannot read; the text is one sentence for the user."""


class Model(BaseModel):
    """Immutable, camelCase in YAML, tolerant of fields that a newer version may have added."""

    model_config = ConfigDict(alias_generator=camel, populate_by_name=True, extra="ignore", frozen=True, protected_namespaces=())

    rules: ClassVar[tuple[Rule, ...]] = ()
    """CEL rules of this object in the CRD."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        if cls.rules:
            handler.resolve_ref_schema(schema)[VALIDATIONS] = [rule.document() for rule in cls.rules]
        return schema

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        """The model of an object as the API server sent it. Raises `InvalidObject` with one sentence."""
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or cls.__name__
            more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
            raise InvalidObject(f"{where}: {first['msg']}{more}") from error

    def dump(self) -> dict[str, Any]:
        """The object as JSON values under its YAML names, without the fields that are None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
