"""The provider's credential: read from the mounted Secret, put into requests, kept out of everything else.

The kubelet replaces a Secret's files by swapping a symbolic link, so the file is looked at (one `stat`) for every request
and read again when it is another one: a rotated key works at once, without a restart.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

REDACTED = "[redacted]"
_SHORTEST_TO_REDACT = 8  # a shorter one is no real key, and would be found by accident inside ordinary words


class CredentialError(Exception):
    """There is no usable credential; the message says what to look at and never shows the value."""


class Credential:
    """The credential file of this pod."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._secret = ""
        self._former: list[str] = []

    def secret(self) -> str:
        """The value as it is now. Raises CredentialError."""
        try:
            stat = os.stat(self._path)
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._remember(self._path.read_bytes())
                self._seen = seen
        except OSError as problem:
            self._seen = None
            raise CredentialError(
                f"The provider's credential cannot be read ({problem.strerror}). "
                "Check that the Secret named by the ModelProvider exists in this namespace and has the key it names."
            ) from None
        if not self._secret:
            raise CredentialError("The provider's credential is empty or is not a single line of text. Check the Secret named by the ModelProvider.")
        return self._secret

    def _remember(self, content: bytes) -> None:
        text = content.decode("ascii", errors="replace").strip()
        if self._secret and self._secret != text:
            # An error that is still on its way may echo the former key.
            self._former = [self._secret, *self._former][:3]
        self._secret = text if text.isascii() and text.isprintable() else ""

    def redact(self, text: str) -> str:
        """The text without this credential, nor those before it, plain or escaped as in JSON."""
        for secret in (self._secret, *self._former):
            if len(secret) >= _SHORTEST_TO_REDACT:
                text = text.replace(secret, REDACTED).replace(json.dumps(secret)[1:-1], REDACTED)
        return text
