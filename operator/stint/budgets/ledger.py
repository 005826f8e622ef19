"""The ledger: what every account has spent and reserved, and whether an attempt may start.

A fold over sessions. What a session contributes follows from what is known of it (its attempts and their usage), stands under its uid and the number
of the attempt, and is replaced as a whole whenever more is known: nothing is counted twice, and the same sessions give the same ledger, in whatever
order they come. Only what was admitted and has no pod yet is known to nobody else; the commits in the budgets' status keep that (`commits`).

A decision looks at the limits that match the session, and at nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from stint.budgets.account import Account
from stint.budgets.amounts import ZERO, Amounts
from stint.budgets.book import Book
from stint.budgets.budget import Budget, BudgetKey
from stint.budgets.carry import Carried, part_of, read_carried
from stint.budgets.facts import Running, Session, Settled
from stint.budgets.selection import Subject
from stint.budgets.verdict import ADMITTED, Verdict
from stint.budgets.weigh import patient, request_of, weigh


class NotAdmissible(ValueError):
    """An attempt was to be admitted that cannot be: its session is unknown, it has ended before, or another one of the session runs."""


@dataclass(slots=True)
class Entry:
    """A session in the ledger."""

    subject: Subject
    accounts: tuple[Account, ...] = ()
    settled: dict[int, Settled] = field(default_factory=dict)
    running: Running | None = None


class Ledger:
    """All budgets, all sessions. Times are aware datetimes.

    Rebuilt at every start: first `observe` every session, then `put_budget` every budget with what it has carried over.
    """

    def __init__(self, system_namespace: str) -> None:
        self._system_namespace = system_namespace
        self._books: dict[BudgetKey, Book] = {}
        self._entries: dict[str, Entry] = {}
        self.touched: dict[Account, None] = {}
        """Accounts in which something has changed; whoever reacts to it (the queue) takes them out. A set that keeps its order."""
        self.generation = 0
        """Changes with the budgets: sessions belong to other accounts than before."""
        self.moved: dict[str, None] = {}
        """Sessions that belong to other accounts because they themselves have changed; the queue takes them out, too."""

    # Budgets

    def put_budget(self, budget: Budget, now: datetime, carried: Iterable[Mapping[str, Any]] = ()) -> bool:
        """A budget was added or edited; False if it is as before. All that is known is counted anew in it: what runs goes on even if there is no room
        any more, and new attempts wait until there is. `carried`: the documents of a budget that this ledger does not know yet."""
        known = self._books.get(budget.key)
        if known is not None and known.budget == budget:
            return False
        at = now.timestamp()
        kept = known.carried.suited_to(budget, at) if known is not None else read_carried(budget, carried, at)
        kept.folded = {uid: account for uid, account in kept.folded.items() if uid in self._entries or known is not None}
        self._leave(budget.key)
        book = self._books[budget.key] = Book(budget, kept)
        starts = book.start_times()
        for uid, entry in self._entries.items():
            account = self._join(book, uid, entry)
            if account is not None:
                starts += [(attempt.start.timestamp(), account) for attempt in (*entry.settled.values(), entry.running) if attempt is not None]
        for start, account in sorted(starts, key=lambda each: each[0]):
            account.started(start)
        self.touched.update(dict.fromkeys(book.accounts.values()))
        return True

    def remove_budget(self, key: BudgetKey) -> None:
        """A budget was deleted: it limits nothing any more, and what it carried over is forgotten."""
        self._leave(key)
        self._books.pop(key, None)

    def budgets(self) -> Iterator[Budget]:
        return (book.budget for book in self._books.values())

    def budget(self, key: BudgetKey) -> Budget:
        return self._books[key].budget

    def sweep(self, budget: BudgetKey, now: datetime) -> None:
        """Close the accounts of a budget that nobody belongs to and in which nothing counts."""
        book, at = self._books[budget], now.timestamp()
        book.accounts = {key: account for key, account in book.accounts.items() if not account.empty(at)}

    def accounts(self, key: BudgetKey) -> Iterable[Account]:
        """The accounts of a budget."""
        return self._books[key].accounts.values()

    # Sessions

    def observe(self, session: Session, now: datetime) -> None:
        """All that is known of a session now. Usage that is stamped later than now (a clock was ahead) counts from now."""
        entry = self._entries.get(session.uid)
        if entry is None:
            entry = self._entries[session.uid] = Entry(session.subject)
            self._match(session.uid, entry)
        elif entry.subject != session.subject:
            self._withdraw(session.uid, entry)
            entry.subject = session.subject
            self._match(session.uid, entry)
        settled = {number: _not_ahead(attempt, entry.settled.get(number), now) for number, attempt in session.settled.items()}
        if settled != entry.settled:
            self._settle_all(entry, settled)
        running = max((each for each in (session.running, entry.running) if each is not None), key=lambda each: each.attempt, default=None)
        if session.running is not None and running is not None and running.attempt == session.running.attempt:
            running = session.running
        if running is not None and running.attempt in settled:
            running = None
        if running != entry.running:
            self._run(session.uid, entry, running)

    def settle(self, uid: str, attempt: int, settled: Settled, now: datetime) -> None:
        """An attempt has ended: what was set aside for it is free, what it used is spent. Again, with other figures, replaces them."""
        entry = self._entries[uid]
        attempts = {**entry.settled, attempt: _not_ahead(settled, entry.settled.get(attempt), now)}
        if attempts != entry.settled:
            self._settle_all(entry, attempts)
        if entry.running is not None and entry.running.attempt == attempt:
            self._run(uid, entry, None)

    def release(self, uid: str, attempt: int) -> None:
        """An admitted attempt does not take place: nothing is spent. What a limit on the rate of starts has counted stays counted."""
        entry = self._entries.get(uid)
        if entry is not None and entry.running is not None and entry.running.attempt == attempt:
            self._run(uid, entry, None)

    def carry(self, uid: str, now: datetime) -> set[tuple[BudgetKey, int]]:
        """The session is to be deleted: its usage stays in its accounts without it, and an attempt that was not settled counts as having used all
        that was set aside. Returns which parts of which budgets have to be written before its finalizer may go. Once more changes nothing."""
        entry = self._entries.get(uid)
        if entry is None:
            return set()
        if entry.running is not None:
            used = Amounts(*(amount or ZERO for amount in entry.running.request))
            self.settle(uid, entry.running.attempt, Settled(entry.running.start, now, used), now)
        parts = set()
        for account in entry.accounts:
            if self._books[account.budget.key].fold(uid, account, entry.subject.namespace, entry.settled.values()):
                parts.add((account.budget.key, part_of(account.key)))
            account.members -= 1
            self.touched[account] = None
        del self._entries[uid]
        return parts

    def forget(self, uid: str, now: datetime) -> set[tuple[BudgetKey, int]]:
        """The session is gone. One that went without being carried is carried now, and the parts to write are returned."""
        parts = self.carry(uid, now)
        for book in self._books.values():
            book.carried.folded.pop(uid, None)
        return parts

    def carried(self, key: BudgetKey) -> Carried:
        """What deleted sessions used of a budget."""
        return self._books[key].carried

    # Decisions

    def ask(self, uid: str, left: Amounts, now: datetime) -> Verdict:
        """May the next attempt of this session start? Without any effect. `left`: what the session's own limits leave; None where it names none."""
        return _weigh(self._entries[uid], left, now)

    def may_wait(self, uid: str, account: Account) -> bool:
        """Whether a session that finds no room in an account stands in its line. Where new ones are rejected, those that have begun do."""
        at_limit = account.budget.at_limit
        return at_limit == "Queue" or (at_limit == "Reject" and bool(self._entries[uid].settled))

    def admit(self, uid: str, attempt: int, left: Amounts, now: datetime) -> Verdict:
        """The same, and if it may start, its request is reserved in all its accounts. Asking again for an attempt that was admitted changes nothing.
        Raises `NotAdmissible`."""
        entry = self._entries.get(uid)
        if entry is None:
            raise NotAdmissible(f"session {uid} is not known")
        if entry.running is not None and entry.running.attempt == attempt:
            return Verdict(ADMITTED, entry.running.request)
        if entry.running is not None or attempt in entry.settled:
            raise NotAdmissible(f"attempt {attempt} of session {uid}: {'another one runs' if entry.running else 'it has ended'}")
        verdict = _weigh(entry, left, now)
        if verdict.admitted:
            self._run(uid, entry, Running(attempt, now, verdict.request))
        return verdict

    def accounts_of(self, uid: str) -> tuple[Account, ...]:
        """The accounts that a session belongs to."""
        return self._entries[uid].accounts

    def running(self, uid: str) -> Running | None:
        """The attempt that is admitted and not settled."""
        entry = self._entries.get(uid)
        return entry.running if entry is not None else None

    def session(self, uid: str) -> Session:
        """A session as the ledger knows it."""
        entry = self._entries[uid]
        return Session(uid, entry.subject, entry.settled, entry.running)

    def __contains__(self, known: str | BudgetKey) -> bool:
        """Whether it knows the session of this uid, or this budget."""
        return known in self._books if isinstance(known, BudgetKey) else known in self._entries

    # How contributions come and go

    def _match(self, uid: str, entry: Entry) -> None:
        """Find the session's accounts, and count there what it contributes."""
        for book in self._books.values():
            account = self._join(book, uid, entry)
            if account is not None:
                for attempt in sorted((*entry.settled.values(), *((entry.running,) if entry.running else ())), key=lambda each: each.start):
                    account.started(attempt.start.timestamp())

    def _join(self, book: Book, uid: str, entry: Entry) -> Account | None:
        if uid in book.carried.folded or not book.budget.counts(entry.subject, self._system_namespace):
            return None
        account = book.account(entry.subject)
        book.join(account)
        entry.accounts += (account,)
        self._contribute(uid, entry, account, 1)
        return account

    def _leave(self, key: BudgetKey) -> None:
        self.generation += 1
        if key not in self._books:
            return
        for entry in self._entries.values():
            if any(account.budget.key == key for account in entry.accounts):
                entry.accounts = tuple(account for account in entry.accounts if account.budget.key != key)

    def _withdraw(self, uid: str, entry: Entry) -> None:
        for account in entry.accounts:
            self._contribute(uid, entry, account, -1)
            account.members -= 1
        entry.accounts = ()
        self.moved[uid] = None

    def _contribute(self, uid: str, entry: Entry, account: Account, sign: int) -> None:
        who = entry.subject.namespace
        for settled in entry.settled.values():
            account.end(who, settled, sign)
        if entry.running is not None:
            account.run(who, entry.running, sign)
        if sign > 0 and entry.running is not None:
            account.running.add(uid)
        else:
            account.running.discard(uid)
        self.touched[account] = None

    def _settle_all(self, entry: Entry, settled: dict[int, Settled]) -> None:
        who = entry.subject.namespace
        gone = [old for number, old in entry.settled.items() if settled.get(number) != old]
        fresh = {number: new for number, new in settled.items() if entry.settled.get(number) != new}
        begun = {*entry.settled, entry.running.attempt if entry.running else None}
        for account in entry.accounts:
            for old in gone:
                account.end(who, old, -1)
            for number, new in sorted(fresh.items()):
                account.end(who, new, 1)
                if number not in begun:
                    account.started(new.start.timestamp())
        entry.settled = settled
        self.touched.update(dict.fromkeys(entry.accounts))

    def _run(self, uid: str, entry: Entry, running: Running | None) -> None:
        who, before = entry.subject.namespace, entry.running
        for account in entry.accounts:
            if before is not None:
                account.run(who, before, -1)
                account.running.discard(uid)
            if running is not None:
                account.run(who, running, 1)
                account.running.add(uid)
                if before is None or before.attempt != running.attempt:
                    account.started(running.start.timestamp())
        entry.running = running
        self.touched.update(dict.fromkeys(entry.accounts))


def _weigh(entry: Entry, left: Amounts, now: datetime) -> Verdict:
    verdict = weigh(entry.accounts, request_of(entry.accounts, left), now)
    return patient(verdict) if entry.settled else verdict


def _not_ahead(attempt: Settled, known: Settled | None, now: datetime) -> Settled:
    """The attempt as of now at the latest; one that was put right before stays where it is."""
    if attempt.end <= now:
        return attempt
    end = min(now, known.end) if known is not None else now
    return replace(attempt, start=min(attempt.start, end), end=end)
