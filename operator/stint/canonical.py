"""JSON in one form only, so that gateway and controller compute the same hash of an output: sorted keys, no spaces, UTF-8.

The standard library does it, not orjson: the two write numbers differently, and orjson cannot hold integers beyond 64 bits.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, NoReturn


def parse(text: str | bytes) -> Any:
    """JSON without NaN and infinities. Raises ValueError, or RecursionError when it is nested too deeply."""
    return json.loads(text, parse_constant=_no_number)


def canonical(value: Any) -> bytes:
    """Raises UnicodeEncodeError for half a surrogate pair, which is no text, and RecursionError when it is nested too deeply."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(value: Any) -> str:
    """The hash of a value's canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
