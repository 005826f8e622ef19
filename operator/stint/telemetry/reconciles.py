"""Looks at objects, told by the workers."""

from __future__ import annotations

from functools import cache
from typing import Literal

from prometheus_client import Counter, Histogram

from stint.telemetry.metrics import RECONCILES, RETRIES

Result = Literal["done", "gone", "conflict", "unreachable", "refused", "bug"]


def looked(kind: str, result: Result, seconds: float) -> None:
    """A worker has looked at an object. All results but the first two mean that it is looked at again."""
    _time(kind, result).observe(seconds)
    if result not in ("done", "gone"):
        _retries(kind).inc()


@cache
def _time(kind: str, result: Result) -> Histogram:
    return RECONCILES.labels(kind, result)


@cache
def _retries(kind: str) -> Counter:
    return RETRIES.labels(kind)
