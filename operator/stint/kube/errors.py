"""What an API server can answer other than success.

::

    ApiError                 any answer of 400 and above, with the server's own sentence
     ├── Unauthorized  401   the credentials are old: the login is done again
     ├── Refused       403 / 422   quota, Pod Security, RBAC or validation: trying again at once changes nothing
     ├── NotFound      404
     ├── Conflict      409   AlreadyExists, or a precondition (resourceVersion, uid) that no longer holds
     └── Expired       410   the resourceVersion is too old: list again
    Unreachable              no answer at all, 429 or 5xx: the same request may succeed later
"""

from __future__ import annotations

from typing import Any


class Unreachable(Exception):
    """No usable answer: connection lost, time-out, server overloaded. Nothing is known about the request's effect."""


class ApiError(Exception):
    """The API server answered, and the answer is no."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}


class Unauthorized(ApiError):
    """401."""


class Refused(ApiError):
    """403 or 422."""


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409."""


class Expired(ApiError):
    """410."""


_BY_CODE: dict[int, type[ApiError]] = {401: Unauthorized, 403: Refused, 422: Refused, 404: NotFound, 409: Conflict, 410: Expired}


def from_status(code: int, status: dict[str, Any]) -> ApiError:
    """The error for a ``metav1.Status`` document (or an empty dict where the server sent none)."""
    kind = _BY_CODE.get(code, ApiError)
    return kind(code, str(status.get("reason", "")), str(status.get("message", "no message")), status.get("details"))
