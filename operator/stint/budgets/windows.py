"""Which usage still counts: a rolling window, or the period of a calendar that has begun.

Both sort moments into buckets. Everything in a bucket counts until one moment, the bucket's end, so a window needs no more than some sixty numbers
whatever happens in it:

rolling    a sixtieth of the window is a bucket; it counts until its youngest usage has left the window. Never too early, a sixtieth late at most.
calendar   the whole period is one bucket, and it ends with the period. Periods begin by the clock of a time zone: a day may have 23 or 25 hours.

Moments are seconds since 1970 (UTC).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import ceil, floor
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

BUCKETS = 60
Period = Literal["Hourly", "Daily", "Weekly", "Monthly"]
SPANS: dict[Period, int] = {"Hourly": 3600, "Daily": 25 * 3600, "Weekly": 169 * 3600, "Monthly": 745 * 3600}
HOUR = 3600


class Window(Protocol):
    """How moments are sorted into buckets."""

    @property
    def signature(self) -> str:
        """The window as text; `from_signature` reads it."""

    @property
    def span(self) -> float:
        """The longest that a bucket can count after its last moment, in seconds."""

    def bucket(self, at: float) -> int:
        """The bucket of a moment; later ones have higher numbers."""

    def ends(self, bucket: int) -> float:
        """When the bucket no longer counts."""

    def last(self, bucket: int) -> float:
        """The last moment of the bucket."""


@dataclass(frozen=True, slots=True)
class Rolling:
    """The last so many seconds."""

    seconds: float

    @property
    def width(self) -> int:
        return max(1, ceil(self.seconds / BUCKETS))

    @property
    def signature(self) -> str:
        return f"rolling:{self.seconds:g}"

    @property
    def span(self) -> float:
        return self.seconds

    def bucket(self, at: float) -> int:
        return int(at // self.width)

    def ends(self, bucket: int) -> float:
        return (bucket + 1) * self.width + self.seconds

    def last(self, bucket: int) -> float:
        return float((bucket + 1) * self.width - 1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Since the beginning of the hour, day, week (Monday) or month."""

    period: Period
    zone: ZoneInfo | None = None
    """None: UTC."""
    _recent: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)], compare=False, repr=False)
    """The period that was asked for last: most moments are in the same one."""

    @property
    def signature(self) -> str:
        return f"{self.period}:{self.zone.key if self.zone else 'UTC'}"

    @property
    def span(self) -> float:
        return SPANS[self.period]

    def bucket(self, at: float) -> int:
        begin, end = self._recent[0]
        if not begin <= at < end:
            begin, end = self._recent[0] = bounds(self.period, self.zone, at)
        return begin

    def ends(self, bucket: int) -> float:
        self.bucket(bucket)
        return float(self._recent[0][1])

    def last(self, bucket: int) -> float:
        return self.ends(bucket) - 1


def bounds(period: Period, zone: ZoneInfo | None, at: float) -> tuple[int, int]:
    """Begin and end of the period that `at` lies in."""
    local = datetime.fromtimestamp(at, zone or UTC)
    if period == "Hourly":  # an hour stays an hour when clocks are changed
        offset = local.utcoffset()
        assert offset is not None
        whole = floor(at)  # fractions would be rounded across the hour
        begin = whole - (whole + int(offset.total_seconds())) % HOUR
        return begin, begin + HOUR
    day = local.date()
    if period == "Daily":
        return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    if period == "Weekly":
        monday = day - timedelta(days=day.weekday())
        return _midnight(monday, zone), _midnight(monday + timedelta(days=7), zone)
    first = day.replace(day=1)
    return _midnight(first, zone), _midnight((first + timedelta(days=31)).replace(day=1), zone)


def _midnight(day: date, zone: ZoneInfo | None) -> int:
    """The moment at which a day begins. Where clocks are put forward at midnight that is the moment of the change (PEP 495: a time in the gap is
    read with the offset from before it)."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone or UTC).timestamp())


@lru_cache(maxsize=64)
def from_signature(signature: str) -> Window:
    """The window of a signature. Raises ValueError (of zoneinfo: KeyError) for anything else."""
    kind, _, rest = signature.partition(":")
    if kind == "rolling":
        return Rolling(float(rest))
    if kind in SPANS:
        return Calendar(kind, None if rest == "UTC" else ZoneInfo(rest))
    raise ValueError(f"not a window: {signature!r}")


def moment(at: float) -> datetime:
    """The datetime of a moment, rounded up to whole seconds: never too early."""
    return datetime.fromtimestamp(ceil(at), UTC)
