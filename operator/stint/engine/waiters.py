"""Who waits for what, so that a change wakes those whom it concerns and nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stint.engine.keys import Key

Awaited = tuple[str, str]
"""Kind and name; the namespace is left out, because a reference may lead to the system namespace."""


class Waiters:
    """Keys by the objects that they wait for."""

    def __init__(self) -> None:
        self._awaited: dict[Key, frozenset[Awaited]] = {}
        self._waiting: dict[Awaited, set[Key]] = {}

    def wait(self, key: Key, awaited: Iterable[Awaited]) -> None:
        """``key`` waits for these objects now, and for no others."""
        wanted = frozenset(awaited)
        if self._awaited.get(key, frozenset()) == wanted:
            return
        self.forget(key)
        if wanted:
            self._awaited[key] = wanted
        for one in wanted:
            self._waiting.setdefault(one, set()).add(key)

    def forget(self, key: Key) -> None:
        for awaited in self._awaited.pop(key, ()):
            keys = self._waiting[awaited]
            keys.discard(key)
            if not keys:
                del self._waiting[awaited]

    def of(self, kind: str, name: str) -> Iterator[Key]:
        """Whom a change of this object concerns."""
        yield from tuple(self._waiting.get((kind, name), ()))
