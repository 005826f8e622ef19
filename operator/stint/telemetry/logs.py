"""Structured logs: one JSON object a line, no bodies, no prompts, no secrets."""

from __future__ import annotations

import logging

from pythonjsonlogger.orjson import OrjsonFormatter

QUIET = ("kopf.objects", "aiohttp.access", "asyncio")
"""Loggers that would write a line per event, or print whole objects, prompts included."""


def setup(level: str) -> None:
    """Send everything to stderr."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # asked for with every line, and shown in none
    handler = logging.StreamHandler()
    handler.setFormatter(OrjsonFormatter("{asctime}{levelname}{name}{message}", style="{", rename_fields={"asctime": "time", "levelname": "level"}))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
