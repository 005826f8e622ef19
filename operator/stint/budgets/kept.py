"""Carried-over usage as ConfigMaps beside the budget: one for each part, owned by it, named after it and its uid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from stint.budgets.budget import BudgetKey
from stint.budgets.carry import PARTS
from stint.engine.plan import Manifest

DOCUMENT = "ledger.json"
LABEL = "stint.dev/budget"


def part_names(budget: Mapping[str, Any]) -> list[str]:
    """Names of all parts of a budget, by number."""
    meta = budget["metadata"]
    return [f"stint-ledger-{meta['name']}-{meta['uid'][:8]}-{part}" for part in range(PARTS)]


def part_manifest(budget: Mapping[str, Any], part: int, document: Mapping[str, Any]) -> Manifest:
    """The ConfigMap of one part."""
    meta = budget["metadata"]
    owner = {"apiVersion": "stint.dev/v1alpha1", "kind": "RateBudget", "name": meta["name"], "uid": meta["uid"], "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "namespace": meta["namespace"],
            "name": part_names(budget)[part],
            "labels": {"app.kubernetes.io/managed-by": "stint", LABEL: meta["name"]},
            "ownerReferences": [owner],
        },
        "data": {DOCUMENT: orjson.dumps(document).decode()},
    }


def read_part(item: Mapping[str, Any]) -> tuple[BudgetKey, int, dict[str, Any]]:
    """Budget, number and document of a ConfigMap that `part_manifest` made."""
    meta = item["metadata"]
    return BudgetKey(meta["namespace"], meta["labels"][LABEL]), int(meta["name"].rpartition("-")[2]), orjson.loads(item["data"][DOCUMENT])
