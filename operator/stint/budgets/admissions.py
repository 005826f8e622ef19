"""Who may start: ledger, queue and commits as one thing, which is told what happens and tells whom to look at again.

::

    ask ──▶ queue ──▶ admitted ──▶ commit in the status of all its budgets ──▶ ask again: Admitted ──▶ pod ──▶ observe(running)
              │                                                                     │
              └──▶ waits: BudgetFull, …            withdraw (it is not to start) ◀──┘

A new leader first writes its epoch into every budget; until all have it, nobody is admitted whom a budget counts. Then it carries out what its
predecessors have left. No I/O, no clock: whoever calls passes the time, carries out `status`, and says with `stands` what the cluster holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from stint.budgets.budget import Budget, BudgetKey
from stint.budgets.carry import part_of
from stint.budgets.commits import Attempt, Commit, Commits, left_over, next_epoch, read_commits
from stint.budgets.facts import Running, Session
from stint.budgets.joining import Joining
from stint.budgets.ledger import Ledger
from stint.budgets.line import Waiter
from stint.budgets.published import published
from stint.budgets.queue import Queue
from stint.budgets.spent_out import SpentOut, spent_out
from stint.budgets.verdict import ADMITTED, FREE, Verdict

Part = tuple[BudgetKey, int]
"""One of the parts that the carried-over usage of a budget is written in."""


class Superseded(Exception):
    """Another leader has written its epoch into a budget: this one may decide nothing any more."""


class Admissions:
    """``wake``: look at the session of this uid again; ``changed``: the status of this budget is out of date."""

    def __init__(self, system_namespace: str, wake: Callable[[str], None], changed: Callable[[BudgetKey], None]) -> None:
        self.ledger = Ledger(system_namespace)
        self._wake = wake
        self._changed = changed
        self._queue = Queue(self.ledger)
        self._commits = Commits()
        self._epoch = 0
        self._joining = Joining()
        self._without_pod: dict[str, Attempt] = {}
        """Admitted attempts whose pods nobody has seen yet, by session."""
        self._granted: dict[Attempt, Verdict] = {}
        """What was decided on them."""
        self._answered: set[Attempt] = set()
        """Those of them whose sessions know it: they may have a pod that nobody has told us of."""
        self._uncommitted: set[Attempt] = set()
        """Those of them that some budget does not list yet."""
        self._carrying: dict[str, set[Part]] = {}
        """Sessions that are to be deleted, and the parts of budgets that have to be written before."""
        self._unwritten: dict[BudgetKey, dict[int, None]] = {}
        """Parts of budgets that hold less than we know."""
        self._waiting: dict[str, Verdict] = {}
        """What sessions that do not start were told, by uid."""

    # Budgets

    def begin(self, statuses: Mapping[BudgetKey, Mapping[str, Any]]) -> None:
        """The budgets that there are when this leader begins, with their status. Call it after `put_budget` for each."""
        self._joining.begin(statuses)
        for key, left in self._joining.left.items():
            self._commits.inherit(key, left)
            self._changed(key)

    def put_budget(self, budget: Budget, now: datetime, status: Mapping[str, Any], carried: Iterable[Mapping[str, Any]] = ()) -> None:
        """A budget was added or edited. One that is new to us may have been restored with a status of old: our epoch has to be above its epoch."""
        if budget.key not in self.ledger:
            self._rise_above(status)
        if self.ledger.put_budget(budget, now, carried):
            self._changed(budget.key)
            self._go_on(now)

    def remove_budget(self, key: BudgetKey, now: datetime) -> None:
        """A budget was deleted."""
        self.ledger.remove_budget(key)
        self._unwritten.pop(key, None)
        for uid, parts in self._carrying.items():
            self._written(uid, {part for part in parts if part[0] == key})
        self._complete(self._commits.remove_budget(key))
        self._joining.removed(key)
        self._joined(key, now)
        self._go_on(now)

    def stands(self, key: BudgetKey, status: Mapping[str, Any], now: datetime) -> None:
        """What the status of a budget holds now: by an answer to a write of ours, or by a watch. Raises `Superseded`."""
        epoch = int(status.get("epoch", 0))
        if epoch > self._epoch:
            raise Superseded(f"budget {key} holds epoch {epoch} of another controller, this one has {self._epoch}")
        if epoch == self._epoch:
            self._joined(key, now)
            self._complete(self._commits.stands(key, read_commits(status)))
        elif (left := self._joining.seen(key, status)) is not None:
            self._commits.inherit(key, left)

    def committed(self, key: BudgetKey) -> dict[str, Any]:
        """The part of a budget's status that decides: our epoch, and all that may be committed now. If it does not get to the cluster, the next one
        carries the same."""
        self._commits.failed(key)
        self._commits.next_batch(key)
        return {"epoch": self._epoch, "commits": [commit.document() for commit in self._commits.content(key)]}

    def status(self, key: BudgetKey, old: Mapping[str, Any], generation: int, now: datetime) -> dict[str, Any]:
        """The whole status to write now."""
        accounts = self.ledger.accounts(key)
        told = published(self.ledger.budget(key), accounts, waiting=self._queue.waiting(key), old=old, generation=generation, now=now)
        return {**told, **self.committed(key)}

    def waiting(self) -> Mapping[BudgetKey, int]:
        """How many sessions wait for room, by budget; budgets that nobody waits for may be left out."""
        return self._queue.waiting_by_budget()

    def urgent(self, key: BudgetKey) -> bool:
        """Whether somebody waits for the next write of this budget's status."""
        return key in self._joining.missing or self._commits.waits(key)

    def crowded(self, key: BudgetKey) -> bool:
        """Whether others stand in line for a budget; not while a leader begins, whom everybody waits for."""
        return self._joining.over and self._queue.waiting(key) > 0

    def unwritten(self, key: BudgetKey, now: datetime) -> dict[int, dict[str, Any]]:
        """The documents of a budget's parts that have to be written, by number. Say `carried` when one is."""
        return {part: self.ledger.carried(key).document(part, now.timestamp()) for part in self._unwritten.get(key, ())}

    def carried(self, key: BudgetKey, part: int, document: Mapping[str, Any]) -> None:
        """A part of a budget holds this now."""
        if key not in self.ledger:
            return
        folded = {uid for account in document["accounts"] for uid in account["folded"]}
        if folded.issuperset(uid for uid, account in self.ledger.carried(key).folded.items() if part_of(account) == part):
            self._unwritten.get(key, {}).pop(part, None)
        for uid in folded & self._carrying.keys():
            self._written(uid, {(key, part)})

    def stop_spent(self, key: BudgetKey, now: datetime) -> None:
        """Wake the sessions that run although their account is spent, if the budget does something about it: see `spent_out`."""
        for found in spent_out(self.ledger.accounts(key), now):
            for uid in found.running:
                self._wake(uid)

    def spent_out(self, uid: str, now: datetime) -> SpentOut | None:
        """Why a running session is to be stopped. None: it is not."""
        found = [each for each in spent_out(self.ledger.accounts_of(uid), now) if uid in each.running]
        return min(found, key=lambda each: each.action != "Stop", default=None)

    def next_wakeup(self, key: BudgetKey) -> datetime | None:
        """When time alone may make room in a budget for somebody who waits; call `tick` then."""
        return self._queue.next_wakeup(key)

    def tick(self, now: datetime) -> None:
        """Decide what time alone has made possible."""
        self._go_on(now)

    # Sessions

    def observe(self, session: Session, now: datetime) -> None:
        """All that is known of a session. Its running attempt has a pod."""
        self.ledger.observe(session, now)
        admitted = self._without_pod.get(session.uid)
        if admitted is not None and session.running is not None and session.running.attempt >= admitted.number:
            self._settle_commit(session.uid)
        if session.running is not None:
            self._queue.remove(session.uid)
            self._waiting.pop(session.uid, None)
        self._go_on(now)

    def counted(self, uid: str) -> bool:
        """Whether a budget remembers what this session uses, also when it is gone."""
        return any(meter.spent is not None for account in self.ledger.accounts_of(uid) for meter in account.meters)

    def carry(self, uid: str, now: datetime) -> bool:
        """The session is to be deleted: whether what it used is written down in its budgets. It is woken when it is."""
        self.withdraw(uid, now)
        if uid not in self._carrying:
            self._carrying[uid] = self.ledger.carry(uid, now)
            self._to_write(self._carrying[uid])
            self._go_on(now)
        return not self._carrying[uid]

    def gone(self, uid: str, now: datetime) -> None:
        """The session is no longer there. One that went without being carried is carried now."""
        self.withdraw(uid, now)
        self._carrying.pop(uid, None)
        self._to_write(self.ledger.forget(uid, now))
        self._go_on(now)

    def ask(self, waiter: Waiter, now: datetime) -> Verdict | None:
        """May this attempt start? The session has been observed. None: not now, and not for want of room; its session is woken when that is over."""
        uid = waiter.uid
        accounts = self.ledger.accounts_of(uid)
        if accounts and not self._joining.over:
            self._joining.keep_out(uid)
            return None
        running = self.ledger.running(uid)
        if running is not None and running.attempt == waiter.attempt:
            attempt = Attempt(uid, running.attempt)
            if attempt in self._uncommitted:
                return None
            self._answered.add(attempt)
            return self._granted.get(attempt) or Verdict(ADMITTED, running.request)
        if not accounts:
            self._queue.remove(uid)
            return FREE
        self._queue.add(waiter)
        self._go_on(now, asking=uid)
        return self._waiting.get(uid)  # None: it was admitted, and that is being written

    def may_have_pod(self, uid: str) -> bool:
        """Whether the session was told that its attempt is admitted: its pod may be there although nobody has seen it yet."""
        return self._without_pod.get(uid) in self._answered

    def withdraw(self, uid: str, now: datetime) -> None:
        """The session is not to start now: it leaves the queue, and an admission without a pod is taken back."""
        self._joining.withdraw(uid)
        self._waiting.pop(uid, None)
        admitted = self._without_pod.get(uid)
        if admitted is None and uid not in self._queue:
            return
        if uid in self._queue:
            self._queue.remove(uid)
            for account in self.ledger.accounts_of(uid):
                self._changed(account.budget.key)
        if admitted is not None:
            self._settle_commit(uid)
            self.ledger.release(uid, admitted.number)
        self._go_on(now)

    # How it goes on

    def _rise_above(self, status: Mapping[str, Any]) -> None:
        """Answers to writes that are under way will hold the old epoch, and complete nothing: every budget is written again."""
        if next_epoch([status]) > self._epoch:
            self._epoch = next_epoch([status])
            for budget in self.ledger.budgets():
                self._changed(budget.key)

    def _go_on(self, now: datetime, asking: str = "") -> None:
        """Decide what can be decided, and tell whom it concerns."""
        for key in dict.fromkeys(account.budget.key for account in self.ledger.touched):
            self._changed(key)
        if not self._joining.over:
            self.ledger.touched.clear()  # nobody stands in line yet; said again at every look, it would have the budget looked at for ever
            return
        for decision in self._queue.pump(now):
            uid, verdict = decision.waiter.uid, decision.verdict
            keys = dict.fromkeys(account.budget.key for account in self.ledger.accounts_of(uid))
            if verdict.admitted:
                self._waiting.pop(uid, None)
                self._admitted(Attempt(uid, decision.waiter.attempt), verdict, keys)
            else:
                self._waiting[uid] = verdict
            for key in keys:
                self._changed(key)
            if uid != asking:
                self._wake(uid)

    def _admitted(self, attempt: Attempt, verdict: Verdict, budgets: Iterable[BudgetKey]) -> None:
        self._without_pod[attempt.uid] = attempt
        self._granted[attempt] = verdict
        if not self._commits.add(Commit(attempt, self._epoch, verdict.request), tuple(budgets)):
            self._uncommitted.add(attempt)

    def _complete(self, commits: Iterable[Commit]) -> None:
        """All their budgets list them: their pods may be created."""
        for commit in commits:
            if commit.attempt in self._uncommitted:
                self._uncommitted.discard(commit.attempt)
                self._wake(commit.attempt.uid)

    def _settle_commit(self, uid: str) -> None:
        attempt = self._without_pod.pop(uid)
        self._granted.pop(attempt, None)
        self._answered.discard(attempt)
        self._uncommitted.discard(attempt)
        for key in self._commits.drop(attempt):
            self._changed(key)

    def _joined(self, key: BudgetKey, now: datetime) -> None:
        """A budget holds our epoch. When all do, no other leader can decide anything any more, and what they left can be carried out."""
        if not self._joining.joined(key):
            return
        left = self._joining.left
        rest = left_over(left, self._next_attempt, lambda uid: {account.budget.key for account in self.ledger.accounts_of(uid)})
        for key in left:
            self._changed(key)
        for commit in rest.drop:
            self._commits.drop(commit.attempt)
        for commit in rest.carry_out:
            uid, number = commit.attempt
            known = self.ledger.session(uid)
            self.ledger.observe(replace(known, running=Running(number, now, commit.request)), now)
            self._without_pod[uid] = commit.attempt
            self._wake(uid)
        for uid in self._joining.end():
            self._wake(uid)
        self._go_on(now)

    def _to_write(self, parts: Iterable[Part]) -> None:
        for key, part in parts:
            self._unwritten.setdefault(key, {})[part] = None
            self._changed(key)

    def _written(self, uid: str, parts: set[Part]) -> None:
        missing = self._carrying[uid]
        if missing & parts:
            missing -= parts
            if not missing:
                self._wake(uid)

    def _next_attempt(self, uid: str) -> int | None:
        if uid not in self.ledger or self.ledger.running(uid) is not None:
            return None
        return max(self.ledger.session(uid).settled, default=0) + 1
