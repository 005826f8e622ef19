"""AgentSession for the engine: look it up, decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from stint.api.base import API_VERSION
from stint.budgets.reasons import EXCEEDS_BUDGET
from stint.budgets.verdict import FREE
from stint.engine.act import Target
from stint.engine.controller import Look
from stint.engine.keys import Key
from stint.engine.plan import Plan, Refusal
from stint.engine.waiters import Waiters
from stint.kube.errors import NotFound
from stint.kube.resources import PODS
from stint.providers.traffic import Traffic
from stint.sessions.desk import Desk
from stint.sessions.expiry import SESSIONS
from stint.sessions.gatehouse import Gatehouse
from stint.sessions.names import KIND, pod_name
from stint.sessions.news import SessionNews
from stint.sessions.observe import World, observe
from stint.sessions.observed import Observed
from stint.sessions.plan import plan, ready_to_leave, starts


def awaited(seen: Observed, decided: Plan) -> set[tuple[str, str]]:
    """What may let a session start that does not start now: its profile, its provider, the session it continues."""
    status = seen.status if decided.status is None else decided.status
    if seen.pod is not None or status.get("completionTime") or seen.spec is None:
        return set()
    profile, source = seen.spec.profile_ref, seen.spec.continue_from
    found = {("AgentProfile", profile.name)} if profile else set()
    if seen.admission is not None and seen.admission.outcome == EXCEEDS_BUDGET:
        found |= {("RateBudget", short.budget.name) for short in seen.admission.shortages}
    found |= {(KIND, source.name)} if source else set()
    return found | ({("ModelProvider", seen.resolved.provider)} if seen.resolved else set())


class Sessions:
    """What the controller does with a session's key."""

    name = KIND

    def __init__(self, world: World, waiters: Waiters, desk: Desk, traffic: Traffic) -> None:
        self._world = world
        self._waiters = waiters
        self._desk = desk
        self._gate = Gatehouse(traffic)

    async def look(self, key: Key, now: datetime, refusal: Refusal | None) -> Look | None:
        """Observe and plan; remembers what the session waits for, so that it is looked at again when that changes."""
        seen = await observe(self._world, key, now, refusal)
        if seen is None:
            self._waiters.forget(key)
            return None
        if not self._world.sessions.is_current(seen.item):
            return None  # it changed while we looked around, and that change has put it in line again
        if seen.deleting:
            seen = replace(seen, leaving_since=self._desk.leaving_since(seen), carried=not self._desk.open)  # closed: there is no budget any more
        seen = self._gate.look(seen)
        planned = plan(seen)
        decided: Plan | None = planned
        if self._desk.open:
            seen, decided = await self._ask_budgets(seen, planned)
        decided = Plan() if decided is None else self._gate.passed(seen, decided)
        self._waiters.wait(key, awaited(seen, decided))
        return Look(Target(SESSIONS, KIND, API_VERSION, seen.item), decided, SessionNews(seen))

    async def _ask_budgets(self, seen: Observed, decided: Plan) -> tuple[Observed, Plan | None]:
        """Tell the budgets how far it is, and let no attempt begin that they have not admitted. No plan: their answer is on its way."""
        self._desk.observe(seen)
        if ready_to_leave(seen):
            seen = replace(seen, carried=self._desk.carry(seen))
            return seen, plan(seen)
        stop = self._desk.spent_out(seen) if seen.pod is not None else None
        if stop is not None:
            seen = replace(seen, spent_out=stop)
            return seen, plan(seen)
        if not starts(decided):
            if self._desk.may_have_pod(seen) and await self._finds_pod(seen):
                return seen, None
            self._desk.withdraw(seen)
            return seen, decided
        verdict = self._desk.ask(seen)
        if verdict is None:
            return seen, None
        if verdict is FREE:
            return seen, decided
        seen = replace(seen, admission=verdict, counted=self._desk.counted(seen))
        return seen, plan(seen)

    async def _finds_pod(self, seen: Observed) -> bool:
        """Whether the pod of its next attempt is there: the answer to its creation may have been lost. Then the session is looked at again."""
        try:
            pod = await self._world.client.get(PODS, seen.namespace, pod_name(seen.name, seen.settled + 1))
        except NotFound:
            return False
        self._world.pods.take(pod)
        return any(each.attempt > seen.settled for each in self._world.pods.of(seen.uid))

    def vanished(self, key: Key, uid: str) -> None:
        """Forget it."""
        self._desk.gone(uid)
        self._gate.gone(uid)
        self._world.sessions.discard(key, uid)
        self._world.pods.forget_session(uid)
