"""Rate-limit headers: what the API says about the limits of a key, and about the windows of a subscription.

A value can be set for everybody, for one credential, or by a step for its own answer; the later of these wins. The prefix
`anthropic-ratelimit-` may be left out of a name. `+N` in a header that ends in `-reset` becomes the moment N seconds from now
(Unix seconds in the windows, RFC 3339 elsewhere), and null takes a header away.
"""

from datetime import UTC, datetime, timedelta

from mockapi.credential import Credential
from mockapi.errors import BadScript

Headers = dict[str, str | None]

PREFIX = "anthropic-ratelimit-"
_WINDOWS = PREFIX + "unified-"
_FIVE_HOURS, _SEVEN_DAYS = 5 * 3600, 7 * 86400


def check_headers(raw: object, name: str) -> Headers:
    """Headers as a user wrote them: names in lower case, numbers as text."""
    if not isinstance(raw, dict) or any(isinstance(value, (dict, list)) for value in raw.values()):
        raise BadScript(f"`{name}` must be an object of header names and values, not {raw!r}")
    headers: Headers = {}
    for key, value in raw.items():
        text = None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        if any(ord(character) < 32 or ord(character) > 255 for character in f"{key}{text}"):
            raise BadScript(f"`{name}`: {key!r} or its value cannot stand in a header")
        headers[key.lower()] = text
    return headers


def check_ratelimit(raw: object, name: str = "ratelimit") -> Headers:
    headers = check_headers(raw, name)
    return {key if key.startswith("anthropic-") or key == "retry-after" else PREFIX + key: value for key, value in headers.items()}


def resolve(headers: Headers, now: datetime) -> dict[str, str]:
    """Headers ready to be sent."""
    return {key: _reset(key, value, now) for key, value in headers.items() if value is not None}


def _reset(key: str, value: str, now: datetime) -> str:
    if not (key.endswith("-reset") and value.startswith("+") and value[1:].isdigit()):
        return value
    moment = now + timedelta(seconds=int(value[1:]))
    return str(int(moment.timestamp())) if key.startswith(_WINDOWS) else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def usual(credential: Credential, now: datetime) -> Headers:
    """What a good answer carries when nobody set anything: far from every limit."""
    headers: Headers = {}
    if not credential.is_subscription:
        for name, limit in {"requests": 4_000, "input-tokens": 2_000_000, "output-tokens": 400_000, "tokens": 2_400_000}.items():
            headers[f"{PREFIX}{name}-limit"] = str(limit)
            headers[f"{PREFIX}{name}-remaining"] = str(limit - 1)
            headers[f"{PREFIX}{name}-reset"] = "+60"
        return headers
    seconds = int(now.timestamp())
    windows = {"5h": seconds - seconds % _FIVE_HOURS + _FIVE_HOURS, "7d": seconds - seconds % _SEVEN_DAYS + _SEVEN_DAYS}
    for name, reset in windows.items():
        headers[f"{_WINDOWS}{name}-reset"] = str(reset)
        headers[f"{_WINDOWS}{name}-status"] = "allowed"
        headers[f"{_WINDOWS}{name}-utilization"] = "0.1"
    return headers | {
        f"{_WINDOWS}status": "allowed",
        f"{_WINDOWS}reset": str(windows["5h"]),
        f"{_WINDOWS}representative-claim": "five_hour",
        f"{_WINDOWS}fallback-percentage": "0.5",
        f"{_WINDOWS}overage-status": "rejected",
        f"{_WINDOWS}overage-disabled-reason": "org_level_disabled",
    }


class RateLimits:
    """Values that were set through `/_mock/ratelimit`."""

    def __init__(self) -> None:
        self._set: dict[str, Headers] = {}

    def set(self, headers: Headers, credential: str = "") -> None:
        self._set[credential] = headers

    def clear(self) -> None:
        self._set.clear()

    def headers(self, credential: Credential, of_step: Headers) -> dict[str, str]:
        """For a good answer to this credential."""
        now = datetime.now(UTC)
        return resolve(usual(credential, now) | self._set.get("", {}) | self._set.get(credential.name, {}) | of_step, now)

    def as_json(self) -> dict[str, Headers]:
        return {credential or "*": headers for credential, headers in self._set.items()}
