"""Who asks. The API takes a key in `x-api-key` or a token in `Authorization: Bearer`; only a digest of either is ever kept."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mockapi.errors import refusal

PREFIX = 12


def fingerprint(secret: str) -> str:
    """The first 12 hexadecimal digits of the SHA-256: enough to tell credentials apart, useless to use one."""
    return hashlib.sha256(secret.encode()).hexdigest()[:PREFIX]


@dataclass(frozen=True, slots=True)
class Credential:
    """Fingerprints of what a request carries; empty where it carries nothing."""

    key: str = ""
    token: str = ""

    @property
    def name(self) -> str:
        return self.key or self.token

    @property
    def kind(self) -> str:
        return "+".join(kind for kind, held in (("x-api-key", self.key), ("bearer", self.token)) if held)

    @property
    def is_subscription(self) -> bool:
        """Only a bearer token can belong to a subscription, which has five-hour and seven-day windows."""
        return bool(self.token and not self.key)


def credential_of(headers: Mapping[str, str]) -> Credential:
    key = headers.get("x-api-key", "").strip()
    scheme, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else ""
    return Credential(fingerprint(key) if key else "", fingerprint(token) if token else "")


class Keys:
    """Which credentials are good: any, until a set is given. A request that carries two needs both to be good."""

    def __init__(self, keys: Iterable[str] | None = None) -> None:
        self._good: frozenset[str] | None = None
        if keys is not None:
            self.require(keys)

    def require(self, keys: Iterable[str]) -> None:
        self._good = frozenset(map(fingerprint, keys))

    def accept_any(self) -> None:
        self._good = None

    def check(self, credential: Credential) -> None:
        """Raises the API's own 401."""
        if not credential.name:
            raise refusal(401, "x-api-key header is required")
        if self._good is None:
            return
        if credential.key and credential.key not in self._good:
            raise refusal(401, "invalid x-api-key")
        if credential.token and credential.token not in self._good:
            raise refusal(401, "Invalid bearer token")

    def as_json(self) -> list[str] | None:
        return None if self._good is None else sorted(self._good)
