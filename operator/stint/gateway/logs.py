"""Logs as lines of JSON that say which session and attempt they belong to. No bodies, no headers, no credential."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from pythonjsonlogger.json import JsonFormatter

from stint.gateway.config import Session


class Redacting(JsonFormatter):
    """The last line of defence: whatever was logged, by whomever, leaves without the credential."""

    def __init__(self, session: Session, attempt: int, redact: Callable[[str], str]) -> None:
        super().__init__(
            "%(asctime)s%(levelname)s%(name)s%(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"session": str(session), "attempt": attempt},
        )
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


def set_up(session: Session, attempt: int, redact: Callable[[str], str]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacting(session, attempt, redact))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
