"""Errors in the shape of the Messages API, and replies that a script or a fault asks for."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

_KINDS = {
    400: ("invalid_request_error", "The request is not valid."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "There is an issue with your billing or payment information."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "Not found."),
    405: ("invalid_request_error", "Method Not Allowed"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit. Please try again later."),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "The request timed out."),
    529: ("overloaded_error", "Overloaded"),
}


class BadScript(Exception):
    """What a user wrote (a script, a fault, a price table) makes no sense; the text says what to do about it."""


def request_id() -> str:
    return "req_" + secrets.token_hex(12)


def kind_of(status: int) -> tuple[str, str]:
    """Type and message that the API gives with a status."""
    return _KINDS.get(status) or (_KINDS[500] if status >= 500 else _KINDS[400])


def status_of(kind: str) -> int:
    """The HTTP status under which the API reports an error of this type."""
    return next((status for status, (name, _) in _KINDS.items() if name == kind), 500)


def error_event(kind: str, message: str | None = None) -> dict[str, Any]:
    """The error object, as it stands in a body and in an SSE `error` event."""
    return {"type": kind, "message": message or kind_of(status_of(kind))[1]}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP error to answer with. `body` replaces the usual one: an object is sent as JSON, a string as it is."""

    status: int
    kind: str | None = None
    message: str | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    body: dict[str, Any] | str | None = None

    @property
    def error_type(self) -> str:
        return self.kind or kind_of(self.status)[0]

    def response(self, headers: dict[str, str]) -> web.Response:
        ident = headers.get("request-id") or request_id()
        body = self.body
        if body is None:
            error = {"type": self.error_type, "message": self.message or kind_of(self.status)[1]}
            body = {"type": "error", "error": error, "request_id": ident}
        text_type = "application/json" if isinstance(body, dict) else "text/html"
        raw = orjson.dumps(body) if isinstance(body, dict) else body.encode()
        return web.Response(status=self.status, body=raw, headers={"content-type": text_type, "request-id": ident, **headers})


class ApiError(Exception):
    """Ends the handling of a request with an error reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} {reply.error_type}")
        self.reply = reply


def refusal(status: int, message: str | None = None, headers: dict[str, str | None] | None = None) -> ApiError:
    """The API's usual error of this status."""
    return ApiError(Reply(status, message=message, headers=headers or {}))


class Cut(Exception):
    """Ends a request by closing the connection, whatever was sent so far."""
