"""What an API server does to an object of ours before it stores it: refuse what the CRD's schema forbids, drop unknown fields, fill in defaults.

CEL rules are left out: those are tested against a real API server.
"""

from __future__ import annotations

import copy
import re
from datetime import datetime
from functools import cache
from typing import Any

from stint.api.crd import KINDS, schema

Json = dict[str, Any]
MOST_INT64 = 2**63 - 1
DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([zZ]|[+-]\d{2}:\d{2})")


@cache
def schema_of(plural: str) -> Json:
    return next(schema(kind) for kind in KINDS if kind.plural == plural)


def problems(node: Json, value: Any, where: str = "") -> list[str]:
    """Everything that the schema has against a value, each with its path."""
    if value is None:
        return [f"{where}: null"]
    if node.get("x-kubernetes-int-or-string"):
        return [] if isinstance(value, int | str) else [f"{where}: neither number nor text"]
    kinds: dict[str, tuple[type, ...]] = {
        "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float),
    }  # fmt: skip
    expected = node.get("type")
    if expected and (not isinstance(value, kinds[expected]) or (isinstance(value, bool) and expected != "boolean")):
        return [f"{where}: {value!r} is no {expected}"]
    return [f"{where}: {problem}" for problem in _bounds(node, value)] + _inside(node, value, where)


def _bounds(node: Json, value: Any) -> list[str]:
    found = []
    if "enum" in node and value not in node["enum"]:
        found.append(f"{value!r} is none of {node['enum']}")
    if isinstance(value, str):
        found += [f"{len(value)} characters"] if len(value) > node.get("maxLength", len(value)) or len(value) < node.get("minLength", 0) else []
        if "pattern" in node and not re.search(node["pattern"], value):
            found.append(f"{value!r} does not match {node['pattern']}")
        if node.get("format") == "date-time" and not _is_moment(value):
            found.append(f"{value!r} is no RFC 3339 time")
    elif isinstance(value, int) and not isinstance(value, bool):
        if not node.get("minimum", value) <= value <= node.get("maximum", value) or abs(value) > MOST_INT64:
            found.append(f"{value} is out of bounds")
    elif isinstance(value, list) and len(value) > node.get("maxItems", len(value)):
        found.append(f"{len(value)} items")
    elif isinstance(value, list) and node.get("x-kubernetes-list-type") == "map":
        keys = [tuple(item.get(key) for key in node["x-kubernetes-list-map-keys"]) for item in value]
        found += ["an item stands there twice"] if len(set(keys)) != len(keys) else []
    return found


def _inside(node: Json, value: Any, where: str) -> list[str]:
    found = []
    if isinstance(value, dict):
        found += [f"{where}.{name}: required" for name in node.get("required", ()) if name not in value]
        for name, child in value.items():
            inner = node.get("properties", {}).get(name) or node.get("additionalProperties")
            if inner:
                found += problems(inner, child, f"{where}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += problems(node.get("items", {}), item, f"{where}[{index}]")
    return found


def _is_moment(text: str) -> bool:
    if not DATE_TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def pruned(node: Json, value: Any) -> Any:
    """A copy without the fields that the schema does not know."""
    if node.get("x-kubernetes-preserve-unknown-fields"):
        return copy.deepcopy(value)
    if isinstance(value, dict) and ("properties" in node or "additionalProperties" in node):
        inner = {name: node.get("properties", {}).get(name) or node.get("additionalProperties") for name in value}
        return {name: pruned(known, value[name]) for name, known in inner.items() if known}
    if isinstance(value, list):
        return [pruned(node.get("items", {}), item) for item in value]
    return copy.deepcopy(value)


def defaulted(node: Json, value: Any) -> Any:
    """The value with the schema's defaults filled in (in place)."""
    if isinstance(value, dict):
        for name, inner in node.get("properties", {}).items():
            if name not in value and "default" in inner:
                value[name] = copy.deepcopy(inner["default"])
            if name in value:
                defaulted(inner, value[name])
    elif isinstance(value, list):
        for item in value:
            defaulted(node.get("items", {}), item)
    return value
