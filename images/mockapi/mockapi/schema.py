"""A small value that satisfies a JSON schema, for demos that ask for structured output."""

import re
from typing import Any

Json = Any

_DEEPEST = 12
_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "mock@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
# Tried in turn against a `pattern`; one that none of them fits gets the first.
_STRINGS = (
    "mock",
    "Mock",
    "MOCK",
    "mock-1",
    "MOCK-1",
    "m",
    "M",
    "1",
    "0",
    "1.0.0",
    "v1.0.0",
    "0.0",
    "#000000",
    "/mock",
    "true",
    *_FORMATS.values(),
)


def example(schema: Json, root: Json = None, depth: int = 0) -> Json:
    """A value for `schema`: its own example if it names one, else the least that is required (all properties if none is)."""
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    if "$ref" in schema:
        return example(_resolve(schema["$ref"], root), root, depth + 1)
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    for keyword in ("enum", "examples"):
        if schema.get(keyword):
            return schema[keyword][0]
    for keyword in ("anyOf", "oneOf"):
        if schema.get(keyword):
            return example(_merged(schema, schema[keyword][0], without=keyword), root, depth + 1)
    if schema.get("allOf"):
        first, *rest = schema["allOf"]
        merged = _merged(schema, _deref(first, root), without="allOf")
        return example({**merged, "allOf": rest} if rest else merged, root, depth + 1)
    return _typed(schema, root, depth)


def _typed(schema: dict[str, Json], root: Json, depth: int) -> Json:
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema or "prefixItems" in schema else "string"
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        return _array(schema, root, depth)
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    return {"boolean": True, "null": None}[kind] if kind in ("boolean", "null") else _string(schema)


def _object(schema: dict[str, Json], root: Json, depth: int) -> dict[str, Json]:
    properties: dict[str, Json] = schema.get("properties", {})
    names = schema.get("required") or (list(properties) if depth <= 2 else [])
    extra = schema.get("additionalProperties")
    value = {name: example(properties.get(name, extra if isinstance(extra, dict) else {}), root, depth + 1) for name in names}
    for name in [*properties, *(f"mock{n}" for n in range(schema.get("minProperties", 0)))]:
        if len(value) < schema.get("minProperties", 0) and name not in value:
            value[name] = example(properties.get(name, extra if isinstance(extra, dict) else {}), root, depth + 1)
    return value


def _array(schema: dict[str, Json], root: Json, depth: int) -> list[Json]:
    first: list[Json] = schema.get("prefixItems", [])
    values = [example(item, root, depth + 1) for item in first[: max(len(first), schema.get("minItems", 0))]]
    while len(values) < schema.get("minItems", 0):
        values.append(example(schema.get("items", {}), root, depth + 1))
    if schema.get("uniqueItems"):
        values = [_distinct(value, n) if value in values[:n] else value for n, value in enumerate(values)]
    return values


def _distinct(value: Json, n: int) -> Json:
    return value + n if isinstance(value, (int, float)) and not isinstance(value, bool) else f"{value}-{n}"


def _number(schema: dict[str, Json], *, whole: bool) -> int | float:
    step = schema.get("multipleOf", 1 if whole else 0)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        low = min(0, high) if high is not None else 0
    value = low
    if step:
        value = -(-low // step) * step
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        value += step or ((high - low) / 2 if high is not None else 1)
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        value -= step or 1
    return int(value) if whole else value


def _string(schema: dict[str, Json]) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10**6)
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if "pattern" in schema:
        for text in (stretched for plain in _STRINGS for stretched in (plain, plain[:most], plain.ljust(least, plain[-1]))):
            if least <= len(text) <= most and re.search(schema["pattern"], text):
                return text
    return "mock"[:most].ljust(least, "k")


def _resolve(ref: str, root: Json) -> Json:
    found = root
    for part in ref.removeprefix("#").strip("/").split("/") if ref.startswith("#") else []:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _deref(schema: Json, root: Json) -> Json:
    return _resolve(schema["$ref"], root) if isinstance(schema, dict) and "$ref" in schema else schema


def _merged(schema: dict[str, Json], branch: Json, without: str) -> dict[str, Json]:
    base = {key: value for key, value in schema.items() if key != without}
    if not isinstance(branch, dict):
        return base
    merged = {**base, **branch}
    for key in ("required", "properties"):
        if key in base and key in branch:
            merged[key] = [*base[key], *branch[key]] if key == "required" else {**base[key], **branch[key]}
    return merged
