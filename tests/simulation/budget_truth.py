"""What budgets promise, judged from the API server's state and from what the gateways really served.

A budget is held to its word from the moment at which the controller has read it; what had started by then (``before``) may go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from simulation.api import SESSIONS
from simulation.cluster import Life
from simulation.pod_status import Json
from simulation.world import SYSTEM, World
from stint.budgets.budget import Budget, BudgetKey
from stint.budgets.ledger import Ledger
from stint.kube.resources import PODS

Attempt = tuple[str, int]
"""Uid of its session, and its number."""


@dataclass
class Promise:
    """A budget as the controller has read it."""

    budget: Budget
    before: set[Attempt]


@dataclass
class BudgetTruth:
    """Checks one world; listens when a ledger reads a budget."""

    world: World
    promises: dict[BudgetKey, Promise] = field(default_factory=dict)

    def listen(self, patch: pytest.MonkeyPatch) -> None:
        put, remove = Ledger.put_budget, Ledger.remove_budget

        def putting(ledger: Ledger, budget: Budget, now: datetime, *carried: Any) -> bool:
            done = put(ledger, budget, now, *carried)
            known = self.promises.get(budget.key)
            if known is None or known.budget != budget:
                running = {uid for account in ledger.accounts(budget.key) for uid in account.running}
                admitted = {(uid, found.attempt) for uid in running if (found := ledger.running(uid)) is not None}
                self.promises[budget.key] = Promise(budget, admitted | set(self._begun()))
            return done

        def removing(ledger: Ledger, key: BudgetKey) -> None:
            self.promises.pop(key, None)
            remove(ledger, key)

        patch.setattr(Ledger, "put_budget", putting)
        patch.setattr(Ledger, "remove_budget", removing)

    def check(self) -> None:
        ledger = self.world.assembly.accounting.desk.admissions.ledger
        sessions = {session["metadata"]["uid"]: session for session in self.world.api.of(SESSIONS)}
        for pod in self.world.cluster.pods():
            self.world.cluster.life(pod)
        lives = [life for life in self.world.cluster.lives.values() if life.owner in sessions]
        for key, promise in list(self.promises.items()):
            if key not in ledger:  # it went while no controller was there to see it
                del self.promises[key]
            elif promise.budget.at_limit != "Warn":
                self._check(promise, [life for life in lives if key.namespace in (SYSTEM, life.namespace)], sessions)

    def _check(self, promise: Promise, lives: list[Life], sessions: dict[str, Json]) -> None:
        for limit in promise.budget.limits:
            for namespace in {life.namespace for life in lives} if promise.budget.per else {""}:
                inside = [life for life in lives if namespace in ("", life.namespace)]
                where = f"{promise.budget.key} {namespace}, limit {limit.name}"
                if limit.resource == "concurrency":
                    working = [(life.owner, life.attempt) for life in inside if self._works(life)]
                    allowed = max(int(limit.amount), sum(each in promise.before for each in working))
                    assert len(working) <= allowed, f"{where}: {working} work at once, {limit.amount} may"
                elif limit.resource == "cost":
                    fresh = [life for life in inside if (life.owner, life.attempt) not in promise.before]
                    held = sum((self._holds(life, sessions[life.owner]) for life in fresh), Decimal(0))
                    assert held <= limit.amount, f"{where}: {held} is served or may be, {limit.amount} is allowed"

    def _holds(self, life: Life, session: Json) -> Decimal:
        """What an attempt may use while it works, and what it has used when it is over; without what nobody knew before the last answer came."""
        if self._works(life):
            return life.limit
        status = session.get("status") or {}
        known = {entry.get("podUID") for entry in status.get("history") or ()} | set(status.get("journaledPods") or ())
        return life.served - life.overshoot if life.uid in known else Decimal(0)

    def _works(self, life: Life) -> bool:
        pod = self.world.api.objects.get((PODS.plural, life.namespace, life.name))
        return pod is not None and pod["metadata"]["uid"] == life.uid and pod["status"]["phase"] in ("Pending", "Running")

    def _begun(self) -> Iterator[Attempt]:
        """Every attempt that has a pod or is over."""
        for life in self.world.cluster.lives.values():
            yield life.owner, life.attempt
        for pod in self.world.cluster.pods():
            yield pod["metadata"]["ownerReferences"][0]["uid"], self.world.cluster.life(pod).attempt
