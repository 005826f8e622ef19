"""From a pydantic model to the structural schema that a CRD wants.

pydantic writes JSON schema 2020-12: references, `anyOf` with null, titles, its own defaults. The API server wants one tree without
any of that. Defaults go in only where a model asks for one with `Schema(default=...)`.
"""

from typing import Any, Final

from stint.api.base import DEFAULT, VALIDATIONS, Model

Node = dict[str, Any]

# What is copied as it stands, in the order in which it is written.
COPIED: Final = (
    "type",
    "format",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
)


class NotStructural(ValueError):
    """A model says something that a structural schema cannot."""


def structural(model: type[Model]) -> Node:
    """The schema of `model`: one tree, every node with the keys in a fixed order."""
    document = model.model_json_schema(by_alias=True)
    return _node(document, document.get("$defs", {}), model.__name__)


def _node(source: Node, definitions: dict[str, Node], where: str) -> Node:
    source = _resolved(source, definitions, where)
    target: Node = {}
    if "description" in source:
        target["description"] = " ".join(source["description"].split())
    target |= {key: source[key] for key in COPIED if key in source}
    if "const" in source:
        target["enum"] = [source["const"]]
    if "x-kubernetes-int-or-string" in source:
        target.pop("type", None)
        target["anyOf"] = source["anyOf"]
    elif "type" not in target and "x-kubernetes-preserve-unknown-fields" not in target:
        raise NotStructural(f"{where}: no single type")
    if DEFAULT in source:
        target["default"] = source[DEFAULT]
    if "items" in source:
        target["items"] = _node(source["items"], definitions, f"{where}[]")
    if isinstance(source.get("additionalProperties"), dict):
        target["additionalProperties"] = _node(source["additionalProperties"], definitions, f"{where}[*]")
    if "required" in source:
        target["required"] = source["required"]
    if "properties" in source:
        target["properties"] = {name: _node(child, definitions, f"{where}.{name}") for name, child in source["properties"].items()}
    if VALIDATIONS in source:
        target[VALIDATIONS] = source[VALIDATIONS]
    return target


def _resolved(source: Node, definitions: dict[str, Node], where: str) -> Node:
    """`source` with its reference put in and without the null that pydantic adds to what is optional. What stands beside wins."""
    while True:
        beside = dict(source)
        if "$ref" in source:
            found = definitions[beside.pop("$ref").removeprefix("#/$defs/")]
        elif "anyOf" in source and "x-kubernetes-int-or-string" not in source:
            choices = [choice for choice in beside.pop("anyOf") if choice != {"type": "null"}]
            if len(choices) != 1:
                raise NotStructural(f"{where}: a choice of several types")
            found = choices[0]
        else:
            return source
        rules = [*found.get(VALIDATIONS, ()), *beside.pop(VALIDATIONS, ())]
        source = found | beside | ({VALIDATIONS: rules} if rules else {})
