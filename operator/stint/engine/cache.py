"""What we know of the cluster, fed by watches and by the answers to our own writes.

Objects of our kinds are kept as JSON text: parsed, ten thousand sessions would take 150 MB, as text they take 30. A version that is not newer than
the one we hold is dropped, so a watch that lags behind our own writes cannot take us back in time.
"""

from __future__ import annotations

from typing import Any

import orjson

from stint.engine.keys import Key


class ObjectCache:
    """Objects of one kind, by namespace and name."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._texts: dict[tuple[str, str], tuple[int, str, bytes]] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def put(self, item: dict[str, Any]) -> bool:
        """Take this version in; False when it is not newer than the one we hold."""
        meta = item["metadata"]
        key, version = (meta["namespace"], meta["name"]), int(meta["resourceVersion"])
        held = self._texts.get(key)
        if held is not None and held[0] >= version:
            return False
        slim = {**item, "metadata": {name: value for name, value in meta.items() if name != "managedFields"}}
        self._texts[key] = (version, meta["uid"], orjson.dumps(slim))
        return True

    def drop(self, item: dict[str, Any]) -> None:
        """The object is gone; a newer one of the same name stays."""
        meta = item["metadata"]
        key = (meta["namespace"], meta["name"])
        held = self._texts.get(key)
        if held is not None and held[0] <= int(meta["resourceVersion"]):
            del self._texts[key]

    def get(self, namespace: str, name: str) -> dict[str, Any] | None:
        """A fresh copy of the object, or None."""
        held = self._texts.get((namespace, name))
        return None if held is None else orjson.loads(held[2])

    def holds(self, namespace: str, name: str, uid: str) -> bool:
        """Whether the object of this very uid is there."""
        held = self._texts.get((namespace, name))
        return held is not None and held[1] == uid

    def is_current(self, item: dict[str, Any]) -> bool:
        """Whether this is the version that we hold."""
        meta = item["metadata"]
        held = self._texts.get((meta["namespace"], meta["name"]))
        return held is not None and held[0] == int(meta["resourceVersion"])

    def discard(self, key: Key) -> None:
        """The API server has no such object."""
        self._texts.pop((key.namespace, key.name), None)

    def missing(self, uids: set[str], version: int) -> list[tuple[Key, str]]:
        """Keys and uids of what a list at this version did not hold any more."""
        return [
            (Key(self.kind, namespace, name), uid)
            for (namespace, name), (held, uid, _) in self._texts.items()
            if uid not in uids and held <= version
        ]
