"""How often the operator writes: the API server's own audit log is the judge."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

from cluster.bed import SYSTEM, Bed
from cluster.provision.embedded import Embedded
from cluster.sessions import durable, finished, script, session

pytestmark = pytest.mark.embedded("it reads the audit log of the API server")

OPERATOR = f"system:serviceaccount:{SYSTEM}:stint-controller"


def writes_of_operator(embedded: Embedded, namespace: str, at_least: int) -> Counter[tuple[str, str]]:
    """(verb, resource/subresource) → how often, in a namespace; waits until the log, a second late, holds so many."""
    deadline = time.monotonic() + 15
    while True:
        counted: Counter[tuple[str, str]] = Counter()
        for line in embedded.machine.audit_log.read_text().splitlines():
            entry = json.loads(line)
            place = entry.get("objectRef", {})
            if entry["user"]["username"] == OPERATOR and place.get("namespace") == namespace:
                counted[entry["verb"], "/".join(part for part in (place["resource"], place.get("subresource")) if part)] += 1
        if counted.total() >= at_least or time.monotonic() > deadline:
            return counted
        time.sleep(0.2)  # the log is a file that another process writes in batches: there is no event to wait for


def test_an_ephemeral_session_costs_three_writes(bed: Bed, namespace: str, embedded: Embedded) -> None:
    finished(bed, bed.kube.create(session(namespace, "first", script({"text": "the namespace gets its policy with this one"}))))
    finished(bed, bed.kube.create(session(namespace, "second", script({"text": "three"}))))
    assert dict(writes_of_operator(embedded, namespace, 7)) == {
        ("create", "networkpolicies"): 1, ("create", "pods"): 2, ("patch", "agentsessions/status"): 4,
    }  # fmt: skip


def test_a_session_with_a_volume_costs_four(bed: Bed, namespace: str, embedded: Embedded) -> None:
    finished(bed, bed.kube.create(durable(namespace, "first", script({"text": "one"}))))
    assert dict(writes_of_operator(embedded, namespace, 5)) == {
        ("create", "networkpolicies"): 1, ("create", "persistentvolumeclaims"): 1, ("create", "pods"): 1, ("patch", "agentsessions/status"): 2,
    }  # fmt: skip
