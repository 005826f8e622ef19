"""Errors in the shape of the model API, so that the CLI understands who refused and whether to try again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from stint.gateway.headers import NO_RETRY
from stint.gateway.limit import Resource
from stint.gateway.output import bounded

BUDGET_REACHED = "stint_budget_reached"
PROVIDER_UNREACHABLE = "stint_provider_unreachable"
CONNECTION_FAILED = "connection_failed"
MAX_MESSAGE = 256  # characters


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer the gateway gives itself; `kind` is the error's type on the wire."""

    status: int
    kind: str
    message: str
    retry: bool = False
    limit: Resource | None = None  # the limit that is used up, if that is why
    retry_after: int | None = None  # seconds

    def response(self) -> web.Response:
        body = orjson.dumps({"type": "error", "error": {"type": self.kind, "message": self.message}})
        headers = {} if self.retry else dict((NO_RETRY,))
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        return web.Response(status=self.status, body=body, content_type="application/json", headers=headers)


class Refused(Exception):
    """A request ends here, with the gateway's own answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class LastError:
    """What the provider last said was wrong; `status` is None when it said nothing at all."""

    status: int | None
    kind: str
    message: str
    retry_after: str | None = None  # RFC 3339 in UTC: when it wants to be asked again, if it said so

    def as_json(self) -> dict[str, Any]:
        said = {"status": self.status, "type": bounded(self.kind, 64), "message": bounded(self.message, MAX_MESSAGE)}
        return said if self.retry_after is None else {**said, "retryAfter": self.retry_after}


GOOD = "Good"
REFUSED = "Refused"
"""The provider answered, and said that the request was wrong."""
IN_A_STREAM = {
    "overloaded_error": "Overloaded", "api_error": "ServerError", "timeout_error": "ServerError", "rate_limit_error": "RateLimited",
    "authentication_error": "AuthFailed", "permission_error": "AuthFailed",
}  # fmt: skip
"""For errors inside a stream that had begun with status 200."""


def kind_of(error: LastError) -> str:
    """What an error says about the provider: a class of the contract, or `REFUSED` for one that is the request's own fault."""
    match error.status:
        case None | 408:
            return "ProviderUnreachable"
        case 401 | 403:
            return "AuthFailed"
        case 429:
            return "RateLimited"
        case 529:
            return "Overloaded"
        case status if status >= 500:
            return "ServerError"
        case status if status < 300:
            return IN_A_STREAM.get(error.kind, REFUSED)
    return REFUSED


def said(status: int, body: bytes, retry_after: str | None = None) -> LastError:
    """The error in an answer's body, whatever its shape."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return LastError(status, "api_error", body[: 4 * MAX_MESSAGE].decode("utf-8", errors="replace") or f"status {status}", retry_after)
    return LastError(status, str(error.get("type") or "api_error"), str(error.get("message") or f"status {status}"), retry_after)
