"""What deleted sessions used, as long as it counts.

A session's usage is folded into the buckets of its account before its finalizer is released, and its uid is remembered until it is gone, so that a
controller that starts in between counts it once. Both are written together: an account and its uids are in one part of eight (a ConfigMap each), by a
hash of its key, and never move to another.

::

    {"per": ["Namespace"], "windows": [["cost", "Daily:UTC"]],
     "accounts": [{"key": ["team-a"], "folded": ["<uid>"],
                   "used": [{"resource": "cost", "window": "Daily:UTC", "by": {"team-a": {"1795219200": "3.75"}}}]}]}
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from stint.budgets.amounts import ZERO, plain
from stint.budgets.budget import Budget
from stint.budgets.selection import UNKNOWN
from stint.budgets.windows import Window, from_signature

PARTS = 8

AccountKey = tuple[str, ...]
Series = dict[str, dict[int, Decimal]]
"""Amounts by namespace and bucket."""


class Carried:
    """Carried-over usage of one budget."""

    def __init__(self, per: Sequence[str], windows: Iterable[Sequence[str]]) -> None:
        self.per = tuple(per)
        self.windows = {(resource, signature) for resource, signature in windows}
        """Resource and signature of what is kept: one that has no usage here has none that counts."""
        self.used: dict[tuple[AccountKey, str, str], Series] = {}
        """By account, resource and signature of the window."""
        self.folded: dict[str, AccountKey] = {}
        """Sessions that are counted here and not gone yet, with their account."""

    def add(self, key: AccountKey, resource: str, window: Window, who: str, bucket: int, amount: Decimal) -> None:
        """Fold an amount into a bucket."""
        buckets = self.used.setdefault((key, resource, window.signature), {}).setdefault(who, {})
        buckets[bucket] = buckets.get(bucket, ZERO) + amount

    def drop_expired(self, now: float) -> None:
        """Forget what has not counted for the time of a whole window: a clock that is put right within that time finds it again."""
        for place, series in list(self.used.items()):
            window = from_signature(place[2])
            for who, buckets in list(series.items()):
                series[who] = {bucket: amount for bucket, amount in buckets.items() if window.ends(bucket) + window.span > now}
                if not series[who]:
                    del series[who]
            if not series:
                del self.used[place]

    def suited_to(self, budget: Budget, now: float) -> Carried:
        """The same in the accounts and windows of an edited budget. A new window takes over what the longest one of its resource knows, each bucket
        at its last moment; a dimension that `per` did not have before is unknown."""
        suited = Carried(budget.per, windows_of(budget))
        suited.folded = {uid: self._key_in(budget, key, {}) for uid, key in self.folded.items()}
        for limit in budget.limits:
            if limit.window is None:
                continue
            for key in {place[0] for place in self.used}:
                source = self._best(key, limit.resource, limit.window)
                if source is None:
                    continue
                window, series = source
                for who, buckets in series.items():
                    target = self._key_in(budget, key, {"Namespace": who})
                    for bucket, amount in buckets.items():
                        same = window.signature == limit.window.signature
                        suited.add(
                            target, limit.resource, limit.window, who, bucket if same else limit.window.bucket(min(window.last(bucket), now)), amount
                        )
        return suited

    def document(self, part: int, now: float) -> dict[str, Any]:
        """The content of one part."""
        self.drop_expired(now)
        accounts: dict[AccountKey, dict[str, Any]] = {}
        for uid, key in self.folded.items():
            if part_of(key) == part:
                accounts.setdefault(key, {"key": list(key), "folded": [], "used": []})["folded"].append(uid)
        for (key, resource, signature), series in self.used.items():
            if part_of(key) == part:
                by = {who: {str(bucket): plain(amount) for bucket, amount in buckets.items()} for who, buckets in series.items()}
                account = accounts.setdefault(key, {"key": list(key), "folded": [], "used": []})
                account["used"].append({"resource": resource, "window": signature, "by": by})
        return {"per": list(self.per), "windows": sorted(map(list, self.windows)), "accounts": list(accounts.values())}

    def _best(self, key: AccountKey, resource: str, window: Window) -> tuple[Window, Series] | None:
        if (resource, window.signature) in self.windows:
            signature = window.signature
        else:
            known = [signature for each, signature in self.windows if each == resource]
            signature = max(known, key=lambda each: (from_signature(each).span, each), default="")
        series = self.used.get((key, resource, signature))
        return (from_signature(signature), series) if series is not None else None

    def _key_in(self, budget: Budget, key: AccountKey, known: Mapping[str, str]) -> AccountKey:
        values = {**known, **dict(zip(self.per, key, strict=True))}
        return tuple(values.get(dimension, UNKNOWN) for dimension in budget.per)


def read_carried(budget: Budget, documents: Iterable[Mapping[str, Any]], now: float) -> Carried:
    """What all parts of a budget hold, in its accounts and windows of today."""
    read = Carried(budget.per, windows_of(budget))
    for document in documents:
        old = Carried(document["per"], document["windows"])
        for account in document["accounts"]:
            key = tuple(account["key"])
            old.folded.update(dict.fromkeys(account["folded"], key))
            for used in account["used"]:
                by = {who: {int(bucket): Decimal(amount) for bucket, amount in buckets.items()} for who, buckets in used["by"].items()}
                old.used[key, used["resource"], used["window"]] = by
        suited = old.suited_to(budget, now)
        read.folded.update(suited.folded)
        for (key, resource, signature), series in suited.used.items():
            for who, buckets in series.items():
                for bucket, amount in buckets.items():
                    read.add(key, resource, from_signature(signature), who, bucket, amount)
    return read


def windows_of(budget: Budget) -> list[tuple[str, str]]:
    """Resource and signature of each window of a budget."""
    return [(limit.resource, limit.window.signature) for limit in budget.limits if limit.window is not None]


def part_of(key: AccountKey) -> int:
    """The part that an account is written to."""
    return hashlib.sha256("\0".join(key).encode()).digest()[0] % PARTS
