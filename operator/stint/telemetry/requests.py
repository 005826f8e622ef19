"""Requests to the API server, told by the client."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from prometheus_client import Counter, Histogram

from stint.telemetry.metrics import REQUEST_DURATION, REQUESTS

NO_ANSWER = 0
VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


def answered(method: str, path: str, params: Mapping[str, str] | None, code: int, seconds: float) -> None:
    """A request has been answered with this status, or `NO_ANSWER`. A watch is told of when it has ended."""
    resource, single = resource_of(path)
    verb = VERBS.get(method) or ("get" if single else "watch" if params and "watch" in params else "list")
    _count(verb, resource, code).inc()
    if verb != "watch":
        _time(verb, resource).observe(seconds)


def resource_of(path: str) -> tuple[str, bool]:
    """Resource and subresource, such as ``pods`` or ``agentsessions/status``; and whether it is a single object."""
    parts = path.split("/")[3 if path.startswith("/api/") else 4 :]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    if len(parts) > 2:
        return f"{parts[0]}/{parts[2]}", True
    return parts[0] if parts else "", len(parts) > 1


@cache
def _count(verb: str, resource: str, code: int) -> Counter:
    return REQUESTS.labels(verb, resource, str(code or "none"))


@cache
def _time(verb: str, resource: str) -> Histogram:
    return REQUEST_DURATION.labels(verb, resource)
