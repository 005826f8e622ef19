"""The report: what the controller bills, at most 4096 bytes, because that is all a termination message may have.

Too long a report gives up its models first, those of least cost, which are added to `other`; then the pods before this
one, the oldest first. The totals are never given up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from stint.gateway.account import VERSION, Account, output_json, rounded, tally_json
from stint.gateway.errors import LastError
from stint.gateway.usage import OTHER, Tally
from stint.gateway.windows import Window

MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Heard:
    """What the provider has said last: its last refusal, of which kind its last answer was, and its rate-limit windows."""

    error: LastError | None = None
    answer: str | None = None
    windows: Sequence[Window] = ()


def render(account: Account, heard: Heard, previous: Sequence[Account]) -> bytes:
    """The report as JSON, as much of it as fits; `previous` are other pods, the newest first."""
    text = b""
    for by_model, pods in _ever_shorter(account.usage.by_model, previous):
        text = orjson.dumps(_document(account, by_model, heard, pods))
        if len(text) <= MAX_BYTES:
            break
    return text


def _ever_shorter(by_model: Mapping[str, Tally], previous: Sequence[Account]) -> Iterator[tuple[Mapping[str, Tally], Sequence[Account]]]:
    for fewer in shrinking(by_model):
        yield fewer, previous
    for kept in range(len(previous) - 1, -1, -1):
        yield fewer, previous[:kept]


def shrinking(by_model: Mapping[str, Tally]) -> Iterator[dict[str, Tally]]:
    """The models, then ever fewer of them, the dearest kept longest and the rest added up in `other`."""
    names = sorted(by_model, key=lambda name: (name == OTHER, -by_model[name].cost, name))
    yield dict(by_model)
    for kept in range(len(names) - 1, -1, -1):
        rest = Tally()
        for name in names[kept:]:
            rest = rest.plus(by_model[name])
        yield {**{name: by_model[name] for name in names[:kept]}, OTHER: rest}


class MessageFile:
    """The termination message: a bind-mounted file, which therefore cannot be replaced by another. Raises OSError.

    It stays open, because an agent can use up all the file descriptors that this process may have.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)

    def write(self, text: bytes) -> None:
        """Rewrite it. One write covers the former text, padded with spaces, before the file is cut: killed in between, it is still JSON."""
        os.pwrite(self._file, text.ljust(os.fstat(self._file).st_size), 0)
        os.ftruncate(self._file, len(text))

    def close(self) -> None:
        os.close(self._file)


def write_in_place(path: Path, text: bytes) -> None:
    """Rewrite the termination message once. Raises OSError."""
    message = MessageFile(path)
    try:
        message.write(text)
    finally:
        message.close()


def _document(account: Account, by_model: Mapping[str, Tally], heard: Heard, previous: Sequence[Account]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "attempt": account.attempt,
        "pod": account.pod,
        "usage": _totals(account) | {"byModel": {name: tally_json(tally, rounded(tally.cost)) for name, tally in by_model.items()}},
        "limitReached": account.limit_reached,
        "firstRequest": account.first_request,
        "firstGoodAnswer": account.first_good_answer,
        "lastError": heard.error and heard.error.as_json(),
        "lastAnswer": heard.answer,
        "windows": {window.name: window.as_json() for window in heard.windows},
        "output": output_json(account.output),
        "previous": [{"pod": other.pod, "attempt": other.attempt, "usage": _totals(other)} for other in previous],
    }


def _totals(account: Account) -> dict[str, Any]:
    total = account.usage.total
    return tally_json(total, rounded(total.cost)) | {"estimated": account.usage.estimated}
