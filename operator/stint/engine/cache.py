"""What we know of the cluster, fed by watches and by the answers to our own writes.

Objects of our kinds are kept as JSON text: parsed, ten thousand sessions would take 150 MB, as text they take 30. A version that is not newer than
the one we hold is dropped, so a watch that lags behind our own writes cannot take us back in time; and an answer to a write of ours that comes after
word of the object's end does not bring it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from stint.engine.keys import Key

REMEMBERED = 1000
"""So many uids of objects that have gone; an answer that is later than so many deletions does not happen."""


class Held(NamedTuple):
    """One version of an object; equal to another only if it is the same version, so it can be the key of a cache."""

    version: int
    uid: str
    namespace: str
    text: bytes
    brief: Any = None
    """What the cache was told to keep at hand of the object; counting ten thousand objects parses none."""

    def parsed(self) -> dict[str, Any]:
        """A fresh copy of the object."""
        item: dict[str, Any] = orjson.loads(self.text)
        return item


class ObjectCache:
    """Objects of one kind, by namespace and name."""

    def __init__(self, kind: str, brief: Callable[[dict[str, Any]], Any] = lambda item: None) -> None:
        self.kind = kind
        self._brief = brief
        self._held: dict[tuple[str, str], Held] = {}
        self._gone: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._held)

    def put(self, item: dict[str, Any]) -> bool:
        """Take this version in; False when it is not newer than the one we hold."""
        meta = item["metadata"]
        key, version = (meta["namespace"], meta["name"]), int(meta["resourceVersion"])
        held = self._held.get(key)
        if (held is not None and held.version >= version) or meta["uid"] in self._gone:
            return False
        slim = {**item, "metadata": {name: value for name, value in meta.items() if name != "managedFields"}}
        self._held[key] = Held(version, meta["uid"], meta["namespace"], orjson.dumps(slim), self._brief(item))
        return True

    def drop(self, item: dict[str, Any]) -> None:
        """The object is gone; a newer one of the same name stays."""
        meta = item["metadata"]
        self.discard(Key(self.kind, meta["namespace"], meta["name"]), meta["uid"])

    def get(self, namespace: str, name: str) -> dict[str, Any] | None:
        """A fresh copy of the object, or None."""
        held = self._held.get((namespace, name))
        return None if held is None else held.parsed()

    def __iter__(self) -> Iterator[Key]:
        """The keys of all objects."""
        return iter([Key(self.kind, namespace, name) for namespace, name in self._held])

    def briefs(self) -> Iterable[Any]:
        """What is kept at hand of every object."""
        return (held.brief for held in self._held.values())

    def held(self, namespace: str, name: str) -> Held | None:
        """The version that we hold, unparsed."""
        return self._held.get((namespace, name))

    def holds(self, namespace: str, name: str, uid: str) -> bool:
        """Whether the object of this very uid is there."""
        held = self._held.get((namespace, name))
        return held is not None and held.uid == uid

    def is_current(self, item: dict[str, Any]) -> bool:
        """Whether this is the version that we hold."""
        meta = item["metadata"]
        held = self._held.get((meta["namespace"], meta["name"]))
        return held is not None and held.version == int(meta["resourceVersion"])

    def discard(self, key: Key, uid: str) -> None:
        """The API server has no object of this uid; another of the same name stays."""
        if self.holds(key.namespace, key.name, uid):
            del self._held[key.namespace, key.name]
        self._gone[uid] = None
        if len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def missing(self, uids: set[str], version: int) -> list[tuple[Key, str]]:
        """Keys and uids of what a list at this version did not hold any more."""
        return [
            (Key(self.kind, namespace, name), held.uid)
            for (namespace, name), held in self._held.items()
            if held.uid not in uids and held.version <= version
        ]
