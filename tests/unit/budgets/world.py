"""A cluster and its leaders, reduced to what budgets see: what survives a crash, and what is lost with the leader.

The judge adds everything up anew, from the attempts alone and without buckets, and compares.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from stint.budgets.amounts import NOTHING, ZERO, Amounts, amounts
from stint.budgets.budget import Budget, BudgetKey, Limit
from stint.budgets.carry import PARTS
from stint.budgets.commits import Attempt, Commit, Commits, left_over, next_epoch, read_commits
from stint.budgets.facts import Running, Session, Settled
from stint.budgets.ledger import Ledger
from stint.budgets.line import Waiter
from stint.budgets.queue import Decision, Queue
from stint.budgets.selection import Subject
from stint.budgets.windows import Rolling
from unit.budgets.kit import NOW, SYSTEM, sums

Usage = tuple[str, str, int, Settled]
"""Namespace, uid, number of the attempt, attempt."""


@dataclass
class Life:
    """A session as the API server has it."""

    uid: str
    namespace: str
    priority: int
    created: datetime
    cap: Decimal | None
    """USD of its own limit."""
    settled: dict[int, Settled] = field(default_factory=dict)
    running: Running | None = None
    """The attempt whose pod is there."""
    finished: bool = False

    @property
    def left(self) -> Amounts:
        return NOTHING if self.cap is None else amounts(str(self.cap - sum((each.used.cost or ZERO for each in self.settled.values()), ZERO)))

    @property
    def next_attempt(self) -> int | None:
        return None if self.finished or self.running else max(self.settled, default=0) + 1

    def seen(self) -> Session:
        return Session(self.uid, Subject(self.namespace), dict(self.settled), self.running)


class Leader:
    """What one process knows."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.ledger = Ledger(SYSTEM)
        self.queue = Queue(self.ledger)
        self.commits = Commits()
        self.admitted: dict[str, Commit] = {}
        """Admissions whose pods do not exist."""
        self.complete: list[Commit] = []
        """Those among them whose pods may be created."""


class World:
    """Everything."""

    def __init__(self) -> None:
        self.now = NOW
        self.lives: dict[str, Life] = {}
        self.budgets: dict[BudgetKey, Budget] = {}
        self.statuses: dict[BudgetKey, dict[str, Any]] = {}
        self.documents: dict[BudgetKey, dict[int, Any]] = {}
        self.ghosts: dict[BudgetKey, list[Usage]] = defaultdict(list)
        """Attempts of deleted sessions that a budget has to remember."""
        self.blurred: dict[BudgetKey, list[Usage]] = defaultdict(list)
        """Those from before an edit of the windows: they may count for a longer or a shorter time than they would have."""
        self.ahead: set[tuple[str, int]] = set()
        """Attempts that a clock has stamped that was ahead."""
        self.leader = Leader(1)
        self.old: Leader | None = None
        self.made = 0

    # Users

    def create(self, namespace: str, priority: int, cap: Decimal | None) -> None:
        self.made += 1
        life = Life(f"{self.made:03}", namespace, priority, self.now, cap)
        self.lives[life.uid] = life
        self._look_at(life)

    def put_budget(self, budget: Budget) -> None:
        before = self.budgets.get(budget.key)
        self.budgets[budget.key] = budget
        self.statuses.setdefault(budget.key, {"epoch": self.leader.epoch, "commits": []})
        if before is not None and [limit.window for limit in before.limits] != [limit.window for limit in budget.limits]:
            self.blurred[budget.key] += self.ghosts.pop(budget.key, [])
        self.leader.ledger.put_budget(budget, self.now)
        self._write_parts((budget.key, part) for part in range(PARTS))

    def delete_budget(self, key: BudgetKey) -> None:
        for table in (self.budgets, self.statuses, self.documents, self.ghosts, self.blurred):
            cast(dict[BudgetKey, Any], table).pop(key, None)
        self.leader.ledger.remove_budget(key)
        self.leader.complete += self.leader.commits.remove_budget(key)

    def delete(self, life: Life, crash: bool) -> None:
        """Its usage is folded into the budgets, part by part; then it goes."""
        leader = self.leader
        leader.queue.remove(life.uid)
        self._withdraw(life.uid)
        if life.running is not None:
            self.end(life, Decimal(1), finished=True)
        leader.queue.remove(life.uid)
        life.finished = True
        for account in leader.ledger.accounts_of(life.uid):
            self.ghosts[account.budget.key] += [(life.namespace, life.uid, number, attempt) for number, attempt in life.settled.items()]
        parts = sorted(leader.ledger.carry(life.uid, self.now))
        if crash:  # the finalizer is still there, and only the first part was written
            self._write_parts(parts[:1])
            self.restart(compare=False)
            parts = sorted(self.leader.ledger.carry(life.uid, self.now))
        self._write_parts(parts)
        del self.lives[life.uid]
        self._write_parts(self.leader.ledger.forget(life.uid, self.now))

    # The leader

    def pump(self) -> list[Decision]:
        decisions = self.leader.queue.pump(self.now)
        for decision in decisions:
            waiter, verdict = decision.waiter, decision.verdict
            if verdict.admitted:
                commit = Commit(Attempt(waiter.uid, waiter.attempt), self.leader.epoch, verdict.request)
                self.leader.admitted[waiter.uid] = commit
                budgets = [account.budget.key for account in self.leader.ledger.accounts_of(waiter.uid)]
                if self.leader.commits.add(commit, budgets):
                    self.leader.complete.append(commit)
            elif verdict.outcome != "BudgetFull":
                self.lives[waiter.uid].finished = True
        return decisions

    def write(self, key: BudgetKey, by: Leader, works: bool = True) -> None:
        """One compare-and-swap of a budget's status."""
        batch = by.commits.next_batch(key)
        if batch is None:
            return
        if works and self.statuses[key]["epoch"] == by.epoch:
            self.statuses[key]["commits"] = json.loads(json.dumps([commit.document() for commit in batch]))
            by.complete += by.commits.written(key)
        else:
            by.commits.failed(key)

    def create_pods(self, most: int, seen: bool) -> None:
        leader = self.leader
        for commit in leader.complete[:most]:
            life = self.lives[commit.attempt.uid]
            life.running = leader.ledger.running(life.uid)
            assert life.running is not None
            assert life.running.request == commit.request
            del leader.admitted[life.uid]
            if seen:
                leader.commits.drop(commit.attempt)
        del leader.complete[:most]

    def end(self, life: Life, share: Decimal, finished: bool) -> None:
        """The attempt ends; it has used a share of its request."""
        running = life.running
        assert running is not None
        cost = (running.request.cost or Decimal(2)) * share
        used = Amounts(cost, ZERO, ZERO, ZERO)
        life.settled[running.attempt] = Settled(running.start, self.now, used)
        if running.start > self.now:
            self.ahead.add((life.uid, running.attempt))
        life.running = None
        life.finished = finished or (life.left.cost is not None and life.left.cost <= 0)
        self.leader.commits.drop(Attempt(life.uid, running.attempt))
        self._look_at(life)

    def restart(self, compare: bool = True) -> None:
        """The leader is gone; another one begins with what the cluster holds."""
        old = self.old = self.leader
        listed = {key: read_commits(status) for key, status in self.statuses.items()}
        new = self.leader = Leader(next_epoch(self.statuses.values()))
        for life in self.lives.values():
            new.ledger.observe(life.seen(), self.now)
        for key, budget in self.budgets.items():
            new.ledger.put_budget(budget, self.now, self.documents.get(key, {}).values())
        found = left_over(listed, self._next_attempt, lambda uid: [account.budget.key for account in new.ledger.accounts_of(uid)])
        for commit in found.carry_out:
            life = self.lives[commit.attempt.uid]
            new.ledger.observe(replace(life.seen(), running=Running(commit.attempt.number, self.now, commit.request)), self.now)
            new.admitted[life.uid] = commit
            new.complete.append(commit)
        for key, commits in listed.items():
            kept = [commit for commit in commits if commit in found.carry_out]
            new.commits.inherit(key, kept)
            self.statuses[key] = {"epoch": new.epoch, "commits": [commit.document() for commit in kept]}
        for life in self.lives.values():
            if life.uid not in new.admitted:
                self._queue(life)
        if compare:
            self._compare(old, new)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        if seconds < 0:
            self.ahead |= {(uid, number) for _, uid, number, attempt in self._usage(None) if attempt.end > self.now}
            for life in self.lives.values():  # as it is listed again
                self.leader.ledger.observe(life.seen(), self.now)

    def _next_attempt(self, uid: str) -> int | None:
        life = self.lives.get(uid)
        return life.next_attempt if life else None

    def _withdraw(self, uid: str) -> None:
        """It was admitted and is not to start any more."""
        commit = self.leader.admitted.pop(uid, None)
        if commit is not None:
            self.leader.commits.drop(commit.attempt)
            self.leader.complete = [each for each in self.leader.complete if each.attempt.uid != uid]
            self.leader.ledger.release(uid, commit.attempt.number)

    def _look_at(self, life: Life) -> None:
        self.leader.ledger.observe(life.seen(), self.now)
        self._queue(life)

    def _queue(self, life: Life) -> None:
        if life.next_attempt is None:
            self.leader.queue.remove(life.uid)
        else:
            self.leader.queue.add(Waiter(life.uid, life.next_attempt, life.namespace, life.created, life.priority, life.left))

    def _write_parts(self, parts: Iterable[tuple[BudgetKey, int]]) -> None:
        for key, part in parts:
            document = self.leader.ledger.carried(key).document(part, self.now.timestamp())
            self.documents.setdefault(key, {})[part] = json.loads(json.dumps(document))

    # The judge

    def judge(self) -> None:
        """What the ledger says lies between what has certainly been used and reserved, and what may just count still."""
        ledger = self.leader.ledger
        for key, budget in self.budgets.items():
            there = {account.key: account for account in ledger.accounts(key)}
            for namespace in ("a", "b") if budget.per else ("",):
                account = there.get((namespace,) if budget.per else ())
                for place, limit in enumerate(budget.limits):
                    meter = account.meters[place] if account else None
                    least, most = self._spent(key, namespace, limit)
                    spent = meter.spent_at(self.now.timestamp()) if meter else ZERO
                    assert least <= spent <= most, f"{key} {namespace} {limit.name}: spent {spent}, not between {least} and {most}"
                    reserved = meter.reserved if meter else ZERO
                    assert reserved == self._reserved(key, namespace, budget, limit), f"{key} {namespace} {limit.name}: reserved {reserved}"

    def within_limits(self, decisions: list[Decision]) -> None:
        """After an admission nothing is above its limit in any of the session's accounts."""
        at = self.now.timestamp()
        for decision in decisions:
            if decision.verdict.admitted:
                for account in self.leader.ledger.accounts_of(decision.waiter.uid):
                    for meter in account.meters:
                        held = meter.spent_at(at) + meter.reserved
                        assert meter.rate is not None or held <= meter.limit.amount, f"{account.name} {meter.limit.name}: {held}"

    def in_order(self, decisions: list[Decision]) -> None:
        """Who starts has nobody of his namespace before him who asks for no more."""
        waiting = [self.leader.queue._waiters[uid] for uid in self.leader.queue._waiters]
        for decision in decisions:
            if decision.verdict.admitted:
                started = decision.waiter
                overtaken = [
                    other.uid for other in waiting
                    if other.namespace == started.namespace and other.left == started.left and other.rank < started.rank
                ]  # fmt: skip
                assert not overtaken, f"{started.uid} has overtaken {overtaken}"

    def _usage(self, key: BudgetKey | None) -> Iterator[Usage]:
        for life in self.lives.values():
            folded = key is not None and life.uid in self.leader.ledger.carried(key).folded
            if not folded:
                yield from ((life.namespace, life.uid, number, attempt) for number, attempt in life.settled.items())
        for of, ghosts in self.ghosts.items():
            if key in (None, of):
                yield from ghosts

    def _spent(self, key: BudgetKey, namespace: str, limit: Limit) -> tuple[Decimal, Decimal]:
        if limit.window is None:
            return ZERO, ZERO
        least = most = ZERO
        starts = limit.resource == "sessions"
        for who, uid, number, attempt in self._usage(key):
            if self._counts(key, namespace, who):
                amount = Decimal(1) if starts else attempt.used.cost or ZERO
                sure, possible = self._in_window(limit, attempt.start if starts else attempt.end)
                ahead = (uid, number) in self.ahead
                least += amount if sure and not ahead else ZERO
                most += amount if possible or ahead else ZERO
        if starts:
            running = [life for life in self.lives.values() if life.running or life.uid in self.leader.admitted]
            most += sum(self._counts(key, namespace, life.namespace) for life in running)
        for who, _, _, attempt in self.blurred[key]:
            if self._counts(key, namespace, who):
                most += Decimal(1) if starts else attempt.used.cost or ZERO
        return least, most

    def _in_window(self, limit: Limit, at: datetime) -> tuple[bool, bool]:
        """Whether a moment certainly counts, and whether it may."""
        if isinstance(limit.window, Rolling):
            age = (self.now - at).total_seconds()
            return age < limit.window.seconds, age < limit.window.seconds + limit.window.width
        return at.date() >= self.now.date(), at.date() >= self.now.date()

    def _reserved(self, key: BudgetKey, namespace: str, budget: Budget, limit: Limit) -> Decimal:
        found = ZERO
        for life in self.lives.values():
            if not self._counts(key, namespace, life.namespace):
                continue
            commit = self.leader.admitted.get(life.uid)
            request = life.running.request if life.running else commit.request if commit else None
            if request is not None and limit.resource == "concurrency":
                found += 1
            elif request is not None and limit.resource == "cost":
                found += (request.cost if request.cost is not None else budget.reserve.cost) or ZERO
        return found

    def _counts(self, key: BudgetKey, namespace: str, who: str) -> bool:
        return key.namespace in (SYSTEM, who) and namespace in ("", who)

    def _compare(self, old: Leader, new: Leader) -> None:
        """A new leader knows what the old one knew, but for admissions that were not committed everywhere."""
        if self.ahead:
            return
        for uid, commit in old.admitted.items():
            if uid not in new.admitted:
                old.ledger.release(uid, commit.attempt.number)
        before, after = sums(old.ledger, self.now), sums(new.ledger, self.now)
        if new.admitted:  # nobody remembers when they were admitted
            before, after = ({place: each for place, each in found.items() if place[2] not in ("rate", "starts")} for found in (before, after))
        assert before == after
