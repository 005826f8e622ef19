"""One provider: its circuits, its windows, and who stands before them. Every method is told the time; nothing is awaited.

Who may start is asked in two steps: `blocked` says whether it may, `enter` that it does. Between them a probe's place is put on record, so that
there is one probe also when the controller is restarted at that very moment.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from stint.api.provider import WINDOWS
from stint.engine.conditions import timestamp
from stint.providers import circuit as fold
from stint.providers.circuit import GOOD, Breaker, Circuit, Outcome
from stint.providers.line import UNLIMITED, Gate, Waiter, allowance, turns
from stint.providers.passage import Blocked, Passage
from stint.providers.reasons import CIRCUIT_OPEN, WINDOW_REJECTED, WINDOW_WARNING
from stint.providers.scope import WHOLE, Credential, Scope, spoken
from stint.providers.window import Key, Window, current, merged, rejected_until, urgent_first, warned

NEW = Circuit()
GRANTED_FOR = timedelta(seconds=30)
"""Who does not come so long after its turn has had it: it leaves the line, and may join it again."""
WARNED_PACE = timedelta(seconds=5)
"""While a window warns, a credential's sessions start so far apart: as often as the reports of those that run are read."""
AFTER_RESET = 5.0
"""Seconds by which credentials come back apart, when their windows are reset at the same moment."""


@dataclass
class Opening:
    """A gate that lets sessions through again that have waited for it."""

    since: datetime
    gone: int = 0


class Road:
    """``changed``: circuits are to be written now; ``told``: windows are, some time."""

    def __init__(self, name: str, breaker: Breaker, circuits: dict[Scope, Circuit], windows: dict[Key, Window]) -> None:
        self.name = name
        self.breaker = breaker
        self.circuits = circuits
        self._keep(windows)
        self.published = windows
        """As the status shows them."""
        self.changed = False
        self.next_look: datetime | None = None
        """When `tick` comes next."""
        self._on_record = {(scope, one.probe.uid, one.probe.attempt) for scope, one in circuits.items() if one.probe is not None}
        self._waiters: dict[str, Waiter] = {}
        self._at: Counter[Gate] = Counter()
        self._granted: dict[str, datetime] = {}
        self._openings: dict[Gate, Opening] = {}
        self._refused: set[Credential] = set()
        """Credentials that somebody waits for because a window of theirs is used up."""
        self._started: dict[Credential, datetime] = {}
        """The last start with a credential whose window warns."""

    # What attempts say

    def learn(self, scopes: Iterable[Scope], outcome: Outcome, now: datetime) -> None:
        for scope in scopes:
            if fold.counts(scope, outcome.kind) and (outcome.kind != GOOD or scope in self.circuits):
                self._put(scope, fold.next_state(self._circuit(scope, now), outcome, scope, self.breaker, now), now)

    def tell(self, credential: Credential, windows: Iterable[Window]) -> None:
        known = merged(self.windows, credential, windows)
        self._keep(known if len(known) <= WINDOWS else dict(urgent_first(known)[:WINDOWS]))

    def _keep(self, windows: dict[Key, Window]) -> None:
        self.windows = windows
        self._pressing = any(one.status != "Allowed" for one in windows.values())

    def release(self, uid: str, now: datetime) -> None:
        """This session tries no more."""
        for scope in self.probed_by(uid):
            self._put(scope, fold.released(self.circuits[scope], uid), now)

    def probed_by(self, uid: str) -> list[Scope]:
        return [scope for scope, one in self.circuits.items() if one.probe is not None and one.probe.uid == uid and one.state == "HalfOpen"]

    def probes(self, uid: str, attempt: int) -> bool:
        """Whether this attempt is, or was, the one that tries."""
        return any(one.probe is not None and (one.probe.uid, one.probe.attempt) == (uid, attempt) for one in self.circuits.values())

    def try_soon(self, now: datetime) -> None:
        """Somebody has changed the provider."""
        for scope, one in list(self.circuits.items()):
            self._put(scope, fold.tried_soon(one, now), now)

    # Who may start

    def blocked(self, passage: Passage, now: datetime) -> Blocked | None:
        """Why this attempt may not start now."""
        if not (self.circuits or self._pressing or self._waiters):
            return None
        shut = [reason for scope in passage.scopes for reason in self._shut(scope, passage, now)]
        window = rejected_until(self.windows, passage.credential, now)
        if window is not None:
            until, name = window
            message = f"window {name} of Secret {passage.credential.secret} is used up until {timestamp(until)}; the session goes on after the reset"
            shut.append(Blocked(WINDOW_REJECTED, self._said(message), until))
        if shut:
            return max(shut, key=lambda one: (one.until is not None, one.until or now))
        return None if passage.uid in self._granted or self.probed_by(passage.uid) else self._turn(passage, now)

    def _shut(self, scope: Scope, passage: Passage, now: datetime) -> Iterator[Blocked]:
        one = self._circuit(scope, now)
        if one.state == "Open":
            when = timestamp(one.until or now)
            message = f"the circuit of {spoken(scope)} is open after {one.reason}: no attempt starts; it is tried again at {when}"
            yield Blocked(CIRCUIT_OPEN, self._said(message), one.until)
        elif one.state == "HalfOpen" and not self._may_try(scope, one, passage):
            message = f"the circuit of {spoken(scope)} is half-open: one tries whether it answers again, the others wait"
            yield Blocked(CIRCUIT_OPEN, self._said(message))

    def _may_try(self, scope: Scope, one: Circuit, passage: Passage) -> bool:
        if one.probe is not None:
            return (one.probe.uid, one.probe.attempt) == (passage.uid, passage.attempt)
        if scope == WHOLE and self.breaker.endpoint:
            return False
        return passage.uid in self._granted or not self._others_wait(scope, passage)

    def _turn(self, passage: Passage, now: datetime) -> Blocked | None:
        """Nothing is shut; but those who have waited go one after the other, and so do all while a window warns."""
        for gate in passage.gates:
            if gate in self._openings:
                reason = CIRCUIT_OPEN if isinstance(gate, Scope) else WINDOW_REJECTED
                return Blocked(reason, self._said("it answers again: sessions that have waited go on by priority and age, ever faster"))
        whose = passage.credential
        if whose in self._refused:  # it was reset a moment ago; whose turn it is, the next tick says
            return Blocked(WINDOW_REJECTED, self._said("the window was reset: sessions that have waited go on by priority and age, ever faster"))
        if not warned(self.windows, whose, now):
            return None
        if self._others_wait(whose, passage) or self._pauses(whose, now):
            message = f"a window of Secret {whose.secret} is nearly used up: sessions start one every {WARNED_PACE.seconds} s"
            return Blocked(WINDOW_WARNING, self._said(message))
        return None

    def _others_wait(self, gate: Gate, passage: Passage) -> bool:
        return self._at[gate] > (1 if passage.uid in self._waiters else 0)

    def _said(self, what: str) -> str:
        return f"ModelProvider {self.name}: {what}"

    def enter(self, passage: Passage, now: datetime) -> bool:
        """It starts, unless something came between, or its place as the probe is still to be put on record."""
        if not (self.circuits or self._pressing or self._waiters):
            return True
        if self.blocked(passage, now) is not None:
            return False
        for scope in passage.scopes:
            one = self._circuit(scope, now)
            if one.state == "HalfOpen" and one.probe is None:
                self._put(scope, fold.claimed(one, passage.uid, passage.attempt, now), now)
        if any((scope, passage.uid, passage.attempt) not in self._on_record for scope in self.probed_by(passage.uid)):
            return False
        self.leave(passage.uid)
        for gate in passage.gates:
            if gate in self._openings:
                self._openings[gate].gone += 1
        if warned(self.windows, passage.credential, now):
            self._started[passage.credential] = now
        return True

    def written(self, circuits: dict[Scope, Circuit]) -> set[str]:
        """This stands in the provider's status now; the sessions whose places as probes are on record since."""
        before = self._on_record
        self._on_record = {(scope, one.probe.uid, one.probe.attempt) for scope, one in circuits.items() if one.probe is not None}
        return {uid for _, uid, _ in self._on_record - before}

    # The line

    def join(self, passage: Passage) -> bool:
        """It waits; whether that is news."""
        waiter = passage.waiter()
        if self._waiters.get(waiter.uid) == waiter:
            return False
        self.leave(waiter.uid)
        self._waiters[waiter.uid] = waiter
        self._at.update(waiter.gates)
        return True

    def leave(self, uid: str) -> None:
        """It does not wait any more."""
        waiter = self._waiters.pop(uid, None)
        self._granted.pop(uid, None)
        for gate in waiter.gates if waiter else ():
            self._at[gate] -= 1
            if not self._at[gate]:
                del self._at[gate]
                self._openings.pop(gate, None)

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    def is_due(self, now: datetime) -> bool:
        """Whether `tick` is to come earlier than it would."""
        moment = now if self._has_free_place() or self._has_free_turn(now) else self.next_moment(now)
        return moment is not None and (self.next_look is None or moment < self.next_look)

    def _has_free_place(self) -> bool:
        return any(one.state == "HalfOpen" and one.probe is None and self._at[scope] for scope, one in self.circuits.items()) and not self._granted

    def _has_free_turn(self, now: datetime) -> bool:
        """While a window warns: whether those who wait only wait for each other."""
        return not self._granted and any(gate in self._at and not self._pauses(gate, now) for gate in self.warned(now))

    def _pauses(self, whose: Credential, now: datetime) -> bool:
        """Whether a session of this credential has started a moment ago, while a window warns."""
        last = self._started.get(whose)
        return last is not None and last <= now < last + WARNED_PACE

    def warned(self, now: datetime) -> set[Credential]:
        """Credentials with a window that warns."""
        return {whose for (whose, _), one in self.windows.items() if one.warns(now)} if self._pressing else set()

    def tick(self, now: datetime) -> list[str]:
        """Time has passed: the sessions whose turn it is."""
        for scope in list(self.circuits):
            if fold.forgotten(self._circuit(scope, now), self.breaker, now):
                del self.circuits[scope]
        self._note_resets(now)
        for uid in [uid for uid, when in self._granted.items() if not when <= now < when + GRANTED_FOR]:
            self.leave(uid)
        if not self._waiters:
            return []
        room = self._room(now)
        going = turns((one for one in self._waiters.values() if one.uid not in self._granted), room)
        self._granted |= {one.uid: now for one in going}
        return [one.uid for one in going]

    def _note_resets(self, now: datetime) -> None:
        refused = {gate for gate in self._at if isinstance(gate, Credential) and rejected_until(self.windows, gate, now)}
        for whose in self._refused - refused:
            if whose in self._at:
                self._openings[whose] = Opening(now + timedelta(seconds=AFTER_RESET * _share(f"{self.name}/{whose}")))
        self._refused = refused
        self._keep(current(self.windows, now))

    def _room(self, now: datetime) -> dict[Gate, int]:
        """How many more each gate lets through."""
        room: dict[Gate, int] = {}
        for gate in self._at:
            if isinstance(gate, Scope):
                room |= self._circuit_room(gate, now)
            elif gate in self._refused:
                room[gate] = 0
            elif warned(self.windows, gate, now):
                room[gate] = 0 if self._pauses(gate, now) else 1
            if gate in self._openings:
                opening = self._openings[gate]
                opening.since = min(opening.since, now + timedelta(seconds=AFTER_RESET))  # the clock was set back
                room[gate] = min(room.get(gate, UNLIMITED), allowance((now - opening.since).total_seconds()) - opening.gone)
        for uid in self._granted:
            for gate in self._waiters[uid].gates if uid in self._waiters else ():
                if gate in room:
                    room[gate] -= 1
        return room

    def _circuit_room(self, scope: Scope, now: datetime) -> dict[Gate, int]:
        one = self._circuit(scope, now)
        if one.closed:
            return {}
        free = one.state == "HalfOpen" and one.probe is None and not (scope == WHOLE and self.breaker.endpoint)
        return {scope: 1 if free else 0}

    def next_moment(self, now: datetime) -> datetime | None:
        """When `tick` may have something to do."""
        moments = [moment for one in self.circuits.values() if (moment := fold.next_moment(one)) is not None]
        moments += [one.resets_at for one in self.windows.values() if one.resets_at is not None and one.status != "Allowed"]
        if self._openings or self._granted:
            moments.append(now + timedelta(seconds=1))
        waited = [self._started[gate] + WARNED_PACE for gate in self._at if isinstance(gate, Credential) and gate in self._started]
        moments += [moment for moment in waited if moment > now]
        return min(moments, default=None)

    # Circuits

    def _circuit(self, scope: Scope, now: datetime) -> Circuit:
        known = self.circuits.get(scope)
        if known is None:
            return NEW
        one = fold.at(known, self.breaker, now)
        if one is not known:
            self._put(scope, one, now)
        return one

    def _put(self, scope: Scope, one: Circuit, now: datetime) -> None:
        before = self.circuits.get(scope, NEW)
        if one == before:
            return
        self.circuits[scope] = one
        self.changed = self.changed or (before.state, before.probe, before.until) != (one.state, one.probe, one.until)
        if one.closed and not before.closed and self._at[scope]:
            self._openings[scope] = Opening(now)
        elif not one.closed:
            self._openings.pop(scope, None)

    def endpoint_asked(self, now: datetime) -> bool:
        """Whether the controller itself is to ask the endpoint now."""
        one = self._circuit(WHOLE, now)
        return self.breaker.endpoint and one.state == "HalfOpen" and one.probe is None

    def endpoint_due(self, now: datetime) -> bool:
        """The same; if so, it is the probe from now on."""
        asked = self.endpoint_asked(now)
        if asked:
            self._put(WHOLE, fold.claimed(self._circuit(WHOLE, now), "", 0, now), now)
        return asked

    def endpoint_answered(self, kind: str, now: datetime) -> None:
        """``kind`` is `GOOD`, or a class of errors."""
        self.learn((WHOLE,), Outcome(kind, "", 0, "", now), now)


def _share(text: str) -> float:
    """A number in [0, 1) that depends on the text only."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32

