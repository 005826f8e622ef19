"""Budgets, sessions and attempts for tests, in a line each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from stint.budgets.account import Account, Meter
from stint.budgets.admissions import Admissions
from stint.budgets.amounts import NOTHING, Amounts, amounts
from stint.budgets.budget import Budget, BudgetKey, read_budget
from stint.budgets.facts import Running, Session, Settled
from stint.budgets.ledger import Ledger
from stint.budgets.line import Waiter
from stint.budgets.queue import Decision, Queue
from stint.budgets.selection import Subject
from stint.budgets.verdict import Verdict

NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
"""A Saturday."""
SYSTEM = "stint-system"
TEAM = BudgetKey(SYSTEM, "team")

Json = dict[str, Any]
Sums = dict[tuple[str, str, str], tuple[int | Decimal, int | Decimal]]
"""Spent and reserved by budget, account and limit."""

CONCURRENCY_1 = {"name": "busy", "resource": "concurrency", "limit": "1"}
CONCURRENCY_2 = {"name": "busy", "resource": "concurrency", "limit": "2"}
COST_10_DAILY = {"name": "day", "resource": "cost", "limit": "10", "calendar": "Daily"}
COST_10_HOUR = {"name": "hour", "resource": "cost", "limit": "10", "window": "1h"}
TOKENS_1000_HOUR = {"name": "tokens", "resource": "tokens", "limit": "1000", "window": "1h"}
RATE = {"name": "rate", "resource": "sessions", "limit": "6", "window": "1m"}
STARTS = {"name": "starts", "resource": "sessions", "limit": "2", "calendar": "Daily"}

DAY = ("team", "shared", "day")
BUSY = ("team", "shared", "busy")
"""Where the sums of these limits stand."""


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def budget(*limits: dict[str, Any], name: str = "team", namespace: str = SYSTEM, **spec: Any) -> Budget:
    """A budget of the system namespace, with a reserve of 1 USD, 100 tokens, 80 of input and 20 of output."""
    reserve = {"cost": "1", "tokens": 100, "inputTokens": 80, "outputTokens": 20}
    metadata = {"namespace": namespace, "name": name}
    return read_budget({"metadata": metadata, "spec": {"limits": list(limits), "reserve": reserve, **spec}})


def session(uid: str, namespace: str = "a", running: Running | None = None, settled: dict[int, Settled] | None = None, **subject: Any) -> Session:
    return Session(uid, Subject(namespace, **subject), settled or {}, running)


def used(cost: str = "0", tokens: int = 0, inputs: int = 0, outputs: int = 0) -> Amounts:
    return amounts(cost, tokens, inputs, outputs)


def settled(cost: str = "0", *, start: float = 0, end: float = 60, tokens: int = 0) -> Settled:
    """An attempt that ended `end` seconds after `NOW`."""
    return Settled(after(start), after(end), used(cost, tokens))


def waiter(uid: str, namespace: str = "a", *, priority: int = 0, age: float = 0, left: Amounts = NOTHING, attempt: int = 1) -> Waiter:
    """A session that was created `age` seconds before `NOW`."""
    return Waiter(uid, attempt, namespace, after(-age), priority, left)


def would_start(ledger: Ledger, subject: Subject, now: datetime) -> Verdict:
    """The verdict on a session like this that names no limit, without any effect."""
    ledger.observe(Session("probe", subject), now)
    verdict = ledger.ask("probe", NOTHING, now)
    ledger.forget("probe", now)
    return verdict


class Bench:
    """A ledger with its queue, and what tests ask of them."""

    def __init__(self, *budgets: Budget) -> None:
        self.ledger = Ledger(SYSTEM)
        self.queue = Queue(self.ledger)
        for each in budgets:
            self.ledger.put_budget(each, NOW)

    def known(self, uid: str, namespace: str = "a", **more: Any) -> None:
        self.ledger.observe(session(uid, namespace, **more), NOW)

    def admit(self, uid: str, namespace: str = "a", *, left: Amounts = NOTHING, now: datetime = NOW, attempt: int = 1, **subject: Any) -> Verdict:
        """The verdict on a session that the ledger gets to know first, if it has to."""
        if uid not in self.ledger:
            self.ledger.observe(session(uid, namespace, **subject), now)
        return self.ledger.admit(uid, attempt, left, now)

    def wait(self, *waiters: Waiter, **subject: Any) -> None:
        for each in waiters:
            if each.uid not in self.ledger:
                self.ledger.observe(session(each.uid, each.namespace, **subject), NOW)
            self.queue.add(each)

    def end(self, uid: str, cost: str = "0", *, at: datetime = NOW, attempt: int = 1) -> None:
        running = self.ledger.running(uid)
        assert running is not None
        self.ledger.settle(uid, attempt, Settled(running.start, at, used(cost)), at)

    def pump(self, now: datetime = NOW) -> list[Decision]:
        return self.queue.pump(now)

    def started(self, now: datetime = NOW) -> list[str]:
        """Uids of those that a pump admits, in order."""
        return [decision.waiter.uid for decision in self.pump(now) if decision.verdict.admitted]

    def account(self, name: str = "shared", of: Budget | None = None) -> Account:
        budgets = [of] if of is not None else list(self.ledger.budgets())
        (found,) = [account for each in budgets for account in self.ledger.accounts(each.key) if account.name == name]
        return found

    def sums(self, now: datetime = NOW) -> Sums:
        """Spent and reserved by budget, account and limit, where there is any."""
        return sums(self.ledger, now)


def sums(ledger: Ledger, now: datetime) -> Sums:
    at = now.timestamp()
    found: Sums = {
        (each.key.name, account.name, meter.limit.name): (meter.spent_at(at), meter.reserved)
        for each in ledger.budgets()
        for account in ledger.accounts(each.key)
        for meter in account.meters
    }
    return {place: amount for place, amount in found.items() if any(amount)}


def meter(account: Account, name: str) -> Meter:
    (found,) = [each for each in account.meters if each.limit.name == name]
    return found


def rebuilt(bench: Bench, sessions: Iterable[Session], now: datetime = NOW) -> Ledger:
    """A ledger made from the same budgets and these sessions, as a new leader makes it."""
    ledger = Ledger(SYSTEM)
    for known in sessions:
        ledger.observe(known, now)
    for each in bench.ledger.budgets():
        documents = [bench.ledger.carried(each.key).document(part, now.timestamp()) for part in range(8)]
        ledger.put_budget(each, now, documents)
    return ledger


def relabelled(of: Session, **labels: str) -> Session:
    return replace(of, subject=replace(of.subject, labels=labels))


class Leader:
    """Admissions, and the statuses that the cluster holds."""

    def __init__(self, statuses: dict[BudgetKey, Json] | None = None) -> None:
        self.woken: list[str] = []
        self.changed: list[BudgetKey] = []
        self.cluster: dict[BudgetKey, Json] = statuses if statuses is not None else {}
        self.it = Admissions(SYSTEM, self.woken.append, self.changed.append)

    def begin(self, *budgets: Budget) -> Leader:
        for each in budgets:
            self.it.put_budget(each, NOW, self.cluster.get(each.key, {}))
        self.it.begin({each.key: self.cluster.get(each.key, {}) for each in budgets})
        return self

    def lead(self, *budgets: Budget) -> Leader:
        """Begin, and write the epoch into every budget."""
        self.begin(*budgets)
        for each in budgets:
            self.write(each.key)
        self.woken.clear()
        self.changed.clear()
        return self

    def render(self, key: BudgetKey = TEAM, now: datetime = NOW) -> Json:
        return self.it.status(key, self.cluster.get(key, {}), 1, now)

    def write(self, key: BudgetKey = TEAM, now: datetime = NOW) -> None:
        """The status gets to the cluster, and the answer comes."""
        self.cluster[key] = self.render(key, now)
        self.it.stands(key, self.cluster[key], now)

    def lists(self, key: BudgetKey = TEAM) -> list[tuple[str, int]]:
        return [(commit["uid"], commit["attempt"]) for commit in self.cluster[key]["commits"]]

    def ask(self, uid: str, namespace: str = "a", *, now: datetime = NOW, attempt: int = 1, left: Amounts | None = None) -> Verdict | None:
        if uid not in self.it.ledger:
            self.it.observe(session(uid, namespace), now)
        return self.it.ask(waiter(uid, namespace, attempt=attempt, left=left or Amounts()), now)

    def start(self, uid: str, namespace: str = "a", attempt: int = 1) -> None:
        """Its pod is seen."""
        running = self.it.ledger.running(uid)
        self.it.observe(session(uid, namespace, running=Running(attempt, NOW, running.request if running else Amounts())), NOW)

    def end(self, uid: str, attempt: int = 1, cost: str = "0", now: datetime = NOW) -> None:
        self.it.observe(session(uid, settled={attempt: Settled(NOW, now, amounts(cost, 0, 0, 0))}), now)

    def reserved(self, key: BudgetKey = TEAM) -> int:
        return int(sum(meter.reserved for account in self.it.ledger.accounts(key) for meter in account.meters))


def outcome(verdict: Verdict | None) -> str:
    return "not yet" if verdict is None else verdict.outcome
