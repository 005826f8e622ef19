"""From the CLI's report of a failed request to an error class.

Rules are asked in order. The specific come before the status, because one status carries several meanings: 429 is a rate limit, a
spend limit or our own gateway's refusal; 400 is a bad request, an empty account or a prompt that is too long.
"""

import re

from .errors import (
    AUTH_FAILED,
    BILLING_FAILED,
    BUDGET_REACHED,
    CONTEXT_TOO_LARGE,
    INVALID_REQUEST,
    MODEL_NOT_FOUND,
    OVERLOADED,
    PROVIDER_UNREACHABLE,
    RATE_LIMITED,
    SERVER_ERROR,
)

GATEWAY_REFUSAL = "stint_budget_reached"
GATEWAY_UNREACHABLE = "stint_provider_unreachable"
"""The gateway answers itself, with status 502, when the provider does not: of the API's own statuses that one is a `ServerError`."""

_BILLING = re.compile(r"credit balance|spend(?:ing)? limit|specified api usage limits", re.IGNORECASE)

_PREFIX = re.compile(r"^API Error: (?:502 )?")
_SERVER_SIDE = " This is a server-side issue, usually temporary"
_CHECK_GATEWAY = re.compile(r" ?If it persists, check your inference gateway \([^)]*\)\.")
"""The CLI's advice: the gateway that it means is the sidecar in this very pod."""

_TYPES = {
    "authentication_error": AUTH_FAILED,
    "permission_error": AUTH_FAILED,
    "not_found_error": MODEL_NOT_FOUND,
    "rate_limit_error": RATE_LIMITED,
    "overloaded_error": OVERLOADED,
    "api_error": SERVER_ERROR,
    "invalid_request_error": INVALID_REQUEST,
}
"""For errors inside a stream that had begun with status 200."""


def classify(*, status: int | None, error: str | None, error_type: str | None, reason: str | None, message: str) -> str:
    """`error` is the CLI's own word for it, `error_type` the API's, `reason` the CLI's terminal reason."""
    if error_type == GATEWAY_REFUSAL:
        return BUDGET_REACHED
    if error_type == GATEWAY_UNREACHABLE:
        return PROVIDER_UNREACHABLE
    if status == 402 or "billing_error" in (error, error_type) or _BILLING.search(message):
        return BILLING_FAILED
    if status == 413 or reason == "prompt_too_long" or "prompt is too long" in message.lower():
        return CONTEXT_TOO_LARGE
    if error == "model_not_found":
        return MODEL_NOT_FOUND
    if status is None:
        return _TYPES.get(error_type or "", PROVIDER_UNREACHABLE)
    return _by_status(status)


def explain(error_type: str | None, text: str) -> str:
    """The CLI's text about a failed request, without its advice to look at the gateway; what the gateway itself says stands alone."""
    if error_type == GATEWAY_UNREACHABLE:
        return _PREFIX.sub("", text).partition(_SERVER_SIDE)[0]
    return _CHECK_GATEWAY.sub("", text)


def _by_status(status: int) -> str:
    match status:
        case 401 | 403:
            return AUTH_FAILED
        case 404:
            return MODEL_NOT_FOUND
        case 408:
            return PROVIDER_UNREACHABLE
        case 429:
            return RATE_LIMITED
        case 529:
            return OVERLOADED
    return SERVER_ERROR if status >= 500 else INVALID_REQUEST
