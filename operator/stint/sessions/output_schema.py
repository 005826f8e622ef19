"""Whether ``agent.outputSchema`` is a JSON schema at all. Whether an output matches it is checked in the gateway, where a hostile pattern can only
slow down its own pod.

Here everybody waits while one schema is looked at, so it takes milliseconds, whatever the schema: its size is bounded, elements are compared in
linear time, and the newer drafts' description of themselves is put into one piece (looking a part of it up costs ten times as much as using it).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any
from urllib.parse import urljoin

import orjson

LARGEST = 32 * 1024
"""Bytes, as JSON."""
NAMES = {"$schema", "$id", "id"}
"""By these the library would find its own schema of schemas instead of ours."""


def schema_problem(schema: dict[str, Any]) -> str:
    """What is wrong with a schema; empty when it is one."""
    try:
        written = orjson.dumps(schema)
    except (TypeError, ValueError, RecursionError):
        return "it is nested too deeply"
    if len(written) > LARGEST:
        return f"it has {len(written)} bytes, and may have {LARGEST}; make it smaller, or let the agent write what is large into a file"
    return _problem(written)


@lru_cache(maxsize=64)
def _problem(written: bytes) -> str:
    """The same of a schema as JSON. Remembered, because the controller asks again whenever it looks at a session."""
    from jsonschema.validators import Draft202012Validator, validator_for  # imported late: most sessions have no schema, and this costs 10 MB

    try:
        schema = orjson.loads(written)
        error = next(_validator(validator_for(schema, default=Draft202012Validator)).iter_errors(schema), None)
    except RecursionError:
        return "it is nested too deeply"
    except (TypeError, ValueError, AttributeError, OverflowError, KeyError) as odd:  # what the library makes of an odd $schema or pattern
        return f"{type(odd).__name__}: {odd}"[:512]
    if error is None:
        return ""
    where = "/".join(str(part) for part in error.absolute_path)
    return f"{where}: {error.message}"[:512] if where else error.message[:512]


@cache
def _validator(draft: Any) -> Any:
    """Of schemas of a draft."""
    from jsonschema import validators

    extend: Any = validators.extend
    linear = extend(validators.validator_for(draft.META_SCHEMA, default=draft), {"uniqueItems": _unique_items})
    return linear(_in_one_piece(draft.META_SCHEMA), format_checker=draft.FORMAT_CHECKER)


def _unique_items(_: Any, wanted: bool, items: Any, __: Any) -> Iterator[Any]:
    """The library compares each element with each other one."""
    from jsonschema.exceptions import ValidationError

    if wanted and isinstance(items, list) and len({orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in items}) < len(items):
        yield ValidationError("the elements of a list are not unique")


def _in_one_piece(meta: dict[str, Any]) -> dict[str, Any]:
    """A draft's schema of schemas without the parts (vocabularies) that the drafts from 2019 on refer to."""
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]

    parts = [meta, *(REGISTRY.contents(urljoin(meta["$id"], part["$ref"])) for part in meta.get("allOf") or ())]
    whole = {key: value for key, value in meta.items() if key not in NAMES}
    if len(parts) > 1:
        del whole["allOf"]
        for key in ("properties", "$defs"):
            whole[key] = {name: value for part in parts for name, value in (part.get(key) or {}).items()}
    found: dict[str, Any] = _refer_to_itself(whole)
    return found


def _refer_to_itself(value: Any) -> Any:
    """Wherever a part asks for `any schema`, the whole is meant."""
    if isinstance(value, list):
        return [_refer_to_itself(each) for each in value]
    if not isinstance(value, dict):
        return value
    if any(isinstance(value.get(word), str) for word in ("$dynamicRef", "$recursiveRef")):
        return {"$ref": "#"}
    return {key: _refer_to_itself(each) for key, each in value.items()}
