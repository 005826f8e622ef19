"""What a replica knows, in a line each, and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from stint.admission.known import Budgets, Copy, labels_of
from stint.admission.recent import Recent
from stint.admission.session import Judged, World, judge_session
from stint.api.profile import AgentProfile
from stint.api.provider import ModelProvider
from stint.budgets.ledger import Ledger
from stint.budgets.published import published
from stint.engine.conditions import timestamp
from unit.budgets.kit import NOW, SYSTEM, Json


class Cluster:
    """What the informers have told, at a time that the test sets."""

    def __init__(self) -> None:
        self.now = NOW
        self._version = 10
        recent = Recent()
        self.world = World(
            system_namespace=SYSTEM,
            default_cost_limit="5.00",
            profiles=Copy(lambda item: AgentProfile.read(item).spec),
            providers=Copy(lambda item: ModelProvider.read(item).spec),
            namespaces=Copy(labels_of),
            budgets=Budgets(recent, lambda: self.now),
            recent=recent,
        )
        self.provider({})

    def _meta(self, name: str, namespace: str, **more: Any) -> Json:
        self._version += 1
        return {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}", "resourceVersion": str(self._version), "generation": 1, **more}

    def provider(self, spec: Json, name: str = "default", namespace: str = SYSTEM) -> None:
        self.world.providers.take({"metadata": self._meta(name, namespace), "spec": spec})

    def profile(self, spec: Json, name: str = "bug-fixer", namespace: str = SYSTEM) -> None:
        self.world.profiles.take({"metadata": self._meta(name, namespace), "spec": spec})

    def namespace(self, name: str, **labels: str) -> None:
        meta = self._meta(name, "", labels=labels)
        del meta["namespace"]
        self.world.namespaces.take({"metadata": meta})

    def budget(
        self, *limits: Json, name: str = "team", namespace: str = SYSTEM, status: Json | None = None, generation: int = 1, **spec: Any
    ) -> None:
        """A budget that reserves 1 USD and 100 tokens."""
        item = {
            "metadata": self._meta(name, namespace, generation=generation),
            "spec": {"limits": list(limits), "reserve": {"cost": "1", "tokens": 100}, **spec},
            "status": status or {},
        }
        self.world.budgets.take(item)

    def create(self, spec: Json | None = None, *, namespace: str = "a", created: bool = True, **meta: Any) -> Judged:
        """The answer to a session."""
        item = {"metadata": {"name": "fix", "namespace": namespace, **meta}, "spec": {"prompt": "Fix it", **(spec or {})}}
        return judge_session(item, self.world, self.now, created=created)

    def let_in(self, spec: Json | None = None, *, name: str = "", **options: Any) -> Judged:
        """The same, and it is created; under a name of its own, if it is given none."""
        self._version += 1
        name = name or f"fix-{self._version}"
        judged = self.create(spec, name=name, **options)
        if not judged.answer.refusal:
            self.world.recent.note(f"{options.get('namespace', 'a')}/{name}", judged.places, judged.request, self.now)
        return judged


def account(key: str, *limits: Json) -> Json:
    return {"accounts": [{"key": key, "limits": list(limits)}], "accountCount": 1}


def limit(name: str, spent: str = "0", reserved: str = "0", most: str = "10", resets: datetime | None = None) -> Json:
    return {"name": name, "spent": spent, "reserved": reserved, "limit": most, **({"resetsAt": timestamp(resets)} if resets else {})}


def status_of(ledger: Ledger, now: datetime) -> Json:
    """The status that the controller publishes of the one budget of a ledger."""
    (budget,) = ledger.budgets()
    return published(budget, ledger.accounts(budget.key), waiting=0, old={}, generation=1, now=now)
