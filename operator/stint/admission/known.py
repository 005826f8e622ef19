"""What a replica knows of the cluster: profiles, providers, namespaces and budgets, each kept by an informer. No sessions: they are the ledger's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from stint.admission.recent import Recent
from stint.api.base import InvalidObject
from stint.budgets.budget import read_budget
from stint.budgets.selection import matches_glob
from stint.budgets.standing import Standing

log = logging.getLogger(__name__)
T = TypeVar("T")
Item = dict[str, Any]


class Copy(Generic[T]):
    """Objects of one kind by namespace and name, read when they come. What cannot be read is there, but empty."""

    def __init__(self, read: Callable[[Item], T]) -> None:
        self._read = read
        self._held: dict[tuple[str, str], tuple[str, int, T | None]] = {}

    def take(self, item: Item, gone: bool = False) -> None:
        meta = item["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        if gone:
            self._held.pop(key, None)
            return
        try:
            read = self._read(item)
        except (InvalidObject, ValueError) as problem:
            log.warning("%s %s/%s cannot be read: %s", item.get("kind", "object"), *key, problem)
            read = None
        self._held[key] = (meta["uid"], int(meta["resourceVersion"]), read)

    def listed(self, uids: set[str], version: int) -> None:
        self._held = {key: held for key, held in self._held.items() if held[0] in uids or held[1] > version}

    def get(self, namespace: str, name: str) -> T | None:
        held = self._held.get((namespace, name))
        return held[2] if held else None

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._held


class Budgets:
    """RateBudgets with their status, by namespace: a session is counted by those of its own and of the system namespace."""

    def __init__(self, recent: Recent, clock: Callable[[], datetime]) -> None:
        self._recent = recent
        self._clock = clock
        self._held: dict[str, dict[str, tuple[str, int, Standing]]] = {}

    def take(self, item: Item, gone: bool = False) -> None:
        meta, status = item["metadata"], item.get("status") or {}
        inside = self._held.setdefault(meta["namespace"], {})
        before = inside.get(meta["name"])
        if gone:
            inside.pop(meta["name"], None)
            return
        try:
            same = before is not None and (before[0], before[2].generation) == (meta["uid"], meta.get("generation", 0))
            budget = before[2].budget if before is not None and same else read_budget(item)
        except InvalidObject as problem:
            log.warning("RateBudget %s/%s cannot be read: %s", meta["namespace"], meta["name"], problem)
            return
        inside[meta["name"]] = (meta["uid"], int(meta["resourceVersion"]), Standing(budget, status, meta.get("generation", 0)))
        if before is None or before[2].status.get("accounts") != status.get("accounts"):
            self._recent.published(budget.key, self._clock())

    def listed(self, uids: set[str], version: int) -> None:
        for namespace, inside in self._held.items():
            self._held[namespace] = {name: held for name, held in inside.items() if held[0] in uids or held[1] > version}

    def of(self, *namespaces: str) -> Iterator[Standing]:
        """The budgets of these namespaces; each once."""
        for namespace in dict.fromkeys(namespaces):
            for _, _, standing in self._held.get(namespace, {}).values():
                yield standing

    def group_rank(self, system_namespace: str, namespace: str) -> Callable[[str], int]:
        """How little a group of the creator matters to the budgets that may count a session of a namespace. Those of the system namespace come
        first, and names that they spell out: a group is pushed out neither by a budget of somebody's own, nor by one that fits all groups."""
        shared, own = ({glob for each in self.of(where) for glob in each.budget.selector.groups or ()} for where in (system_namespace, namespace))

        def rank(group: str) -> int:
            if group in shared:
                return 0
            if any(matches_glob(glob, group) for glob in shared):
                return 1
            return 2 if any(matches_glob(glob, group) for glob in own) else 3

        return rank


def labels_of(item: Item) -> Mapping[str, str]:
    """The labels of an object; how namespaces are read."""
    labels: Mapping[str, str] = item["metadata"].get("labels") or {}
    return labels
