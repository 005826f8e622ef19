"""The NetworkPolicies of agents that are in place, so that no pod starts without one: a namespace may be deleted and made again, a policy removed."""

from __future__ import annotations

from typing import Any


class PolicyStore:
    """Fed by an informer and by the answers to our own writes."""

    def __init__(self) -> None:
        self._policies: dict[str, tuple[int, str, str, dict[str, Any]]] = {}
        self._by_name: dict[tuple[str, str], str] = {}

    def spec(self, namespace: str, name: str) -> dict[str, Any] | None:
        """The spec of a policy, None if there is no such policy."""
        uid = self._by_name.get((namespace, name))
        return None if uid is None else self._policies[uid][3]

    def take(self, item: dict[str, Any], gone: bool = False) -> None:
        """A policy as the API server sent it."""
        meta = item["metadata"]
        uid, version = meta["uid"], int(meta["resourceVersion"])
        if gone:
            self._drop(uid)
        elif uid not in self._policies or self._policies[uid][0] < version:
            self._policies[uid] = (version, meta["namespace"], meta["name"], item["spec"])
            self._by_name[meta["namespace"], meta["name"]] = uid

    def listed(self, uids: set[str], version: int) -> None:
        """These were all policies at this version."""
        for uid in [uid for uid, (held, *_) in self._policies.items() if uid not in uids and held <= version]:
            self._drop(uid)

    def _drop(self, uid: str) -> None:
        policy = self._policies.pop(uid, None)
        if policy is not None and self._by_name.get((policy[1], policy[2])) == uid:
            del self._by_name[policy[1], policy[2]]
