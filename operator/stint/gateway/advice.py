"""When the model's API wants to be asked again: the header `retry-after` of a refusal, in seconds or as a date (RFC 9110 section 10.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(days=31)


def advised(headers: Mapping[str, str], now: datetime) -> str | None:
    """The moment, as RFC 3339 in UTC; None for a header that is not there, cannot be read, or names no moment within a month from now."""
    text = headers.get("retry-after", "").strip()
    try:
        when = now + timedelta(seconds=float(text)) if text[:1].isdigit() else parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:  # the date names no zone
        when = when.replace(tzinfo=UTC)
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if now < when <= now + LONGEST else None
