"""Rate-limit windows, as the provider's answers tell of them in their headers.

    anthropic-ratelimit-unified-5h-status / -utilization / -reset      windows of a subscription; status allowed, allowed_warning, rejected
    anthropic-ratelimit-requests-limit / -remaining / -reset           limits of a key by the minute; also tokens, input-tokens, output-tokens
    retry-after                                                        only a moment; it counts when a 429 tells of no window that is used up

An answer that was given shows that nothing is rejected, whatever else it says: such a window counts as a warning.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stint.gateway.advice import advised

PREFIX = "anthropic-ratelimit-"
UNIFIED = re.compile(r"anthropic-ratelimit-unified-([0-9a-z]{1,8}(?:_[0-9a-z]{1,16}){0,2})-status")
BY_THE_MINUTE = {"requests": "Requests", "tokens": "Tokens", "input-tokens": "InputTokens", "output-tokens": "OutputTokens"}
LENGTHS = {"5h": "FiveHour", "7d": "SevenDay"}
STATUSES = {"allowed": "Allowed", "allowed_warning": "Warning", "rejected": "Rejected"}
NO_WINDOW = ("overage", "fallback")
"""What else stands among the unified headers."""
MOST = 8


@dataclass(frozen=True, slots=True)
class Window:
    """``utilization`` in percent; times are RFC 3339 in UTC; ``seen`` is when the answer came."""

    name: str
    status: str
    utilization: int | None
    resets_at: str | None
    seen: str

    def as_json(self) -> dict[str, Any]:
        return {"status": self.status, "utilization": self.utilization, "resetsAt": self.resets_at, "seen": self.seen}


def windows(headers: Mapping[str, str], status: int, now: datetime) -> list[Window]:
    """All that the headers of an answer of this HTTP status tell of, eight at most."""
    found = [*_unified(headers, now), *_by_the_minute(headers, status, now)]
    if status < 300:
        found = [Window(one.name, "Warning" if one.status == "Rejected" else one.status, one.utilization, one.resets_at, one.seen) for one in found]
    elif status == 429 and not any(one.status == "Rejected" for one in found):
        found += _only_a_moment(headers, now)
    return found[:MOST]


def _unified(headers: Mapping[str, str], now: datetime) -> Iterator[Window]:
    for header, value in headers.items():
        match = UNIFIED.fullmatch(header.lower())
        if match is None or match[1] in NO_WINDOW or value not in STATUSES:
            continue
        resets_at = _moment(headers.get(f"{PREFIX}unified-{match[1]}-reset", ""))
        if value != "rejected" or resets_at is not None:
            share = _number(headers.get(f"{PREFIX}unified-{match[1]}-utilization", ""))
            yield Window(_named(match[1]), STATUSES[value], None if share is None else round(100 * share), resets_at, _stamp(now))


def _named(window: str) -> str:
    length, *rest = window.split("_")
    return LENGTHS.get(length, length.capitalize()) + "".join(word.capitalize() for word in rest)


def _by_the_minute(headers: Mapping[str, str], status: int, now: datetime) -> Iterator[Window]:
    for header, name in BY_THE_MINUTE.items():
        limit, remaining = (_number(headers.get(f"{PREFIX}{header}-{what}", "")) for what in ("limit", "remaining"))
        if not limit or remaining is None:
            continue
        resets_at = _moment(headers.get(f"{PREFIX}{header}-reset", ""))
        used_up = status == 429 and remaining <= 0 and resets_at is not None
        utilization = min(100, max(0, round(100 * (limit - remaining) / limit)))
        yield Window(name, "Rejected" if used_up else "Allowed", utilization, resets_at, _stamp(now))


def _only_a_moment(headers: Mapping[str, str], now: datetime) -> Iterator[Window]:
    if headers.get(f"{PREFIX}unified-status") == "rejected":
        resets_at = _moment(headers.get(f"{PREFIX}unified-reset", ""))
        if resets_at is not None:
            yield Window("Unified", "Rejected", None, resets_at, _stamp(now))
            return
    advice = advised(headers, now)
    if advice is not None:
        yield Window("RetryAfter", "Rejected", None, advice, _stamp(now))


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) and 0 <= found < 1e12 else None


def _moment(text: str) -> str | None:
    """Seconds since 1970, or RFC 3339."""
    try:
        when = datetime.fromtimestamp(float(text), UTC) if text[:1].isdigit() and "-" not in text else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return _stamp(when) if when.tzinfo is not None else None


def _stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
