"""Who waits for what, so that a change wakes those whom it concerns and nobody else."""

from __future__ import annotations

from collections.abc import Iterator

from stint.engine.keys import Key

Awaited = tuple[str, str]
"""Kind and name; the namespace is left out, because a reference may lead to the system namespace."""


class Waiters:
    """Keys by the object that they wait for."""

    def __init__(self) -> None:
        self._awaited: dict[Key, Awaited] = {}
        self._waiting: dict[Awaited, set[Key]] = {}

    def wait(self, key: Key, kind: str, name: str) -> None:
        """``key`` waits for this object now, and for no other; an empty kind: for none."""
        self.forget(key)
        if kind and name:
            self._awaited[key] = (kind, name)
            self._waiting.setdefault((kind, name), set()).add(key)

    def forget(self, key: Key) -> None:
        awaited = self._awaited.pop(key, None)
        if awaited is not None:
            keys = self._waiting[awaited]
            keys.discard(key)
            if not keys:
                del self._waiting[awaited]

    def of(self, kind: str, name: str) -> Iterator[Key]:
        """Whom a change of this object concerns."""
        yield from tuple(self._waiting.get((kind, name), ()))
