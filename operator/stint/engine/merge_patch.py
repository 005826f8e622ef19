"""The JSON merge patch (RFC 7396) that turns one document into another, so that a status write carries only what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The patch from ``old`` to ``new``; empty when they are equal. A null in ``new`` is the same as an absent field."""
    patch: dict[str, Any] = {}
    for name in old.keys() | new.keys():
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            inner = difference(before, after)
            if inner:
                patch[name] = inner
        else:
            patch[name] = after
    return patch
