"""The fleet's circuit breaker: what attempts say about a provider, folded into whether further ones may start. Pure.

::

              so many failures in a row, within the window; at once for a refused credential
     Closed ───────────────────────────────────────────────────────────▶ Open ◀───────┐
       ▲                                                                  │ until      │ the probe failed:
       │            first good answer of the probe                        ▼            │ a longer wait
       └────────────────────────────────────────────────────────────── HalfOpen ───────┘

A failure is known by session and attempt, so the same one counts once however often it is told of, also after a restart, when the history of
sessions is folded again: what happened up to the last change of the circuit is in that change, and does not count any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from stint.providers.scope import Scope
from stint.sessions.failures import policy

State = Literal["Closed", "Open", "HalfOpen"]
GOOD = "Good"
AUTH_FAILED, RATE_LIMITED = "AuthFailed", "RateLimited"
NAMESPACES_OF_A_SHARED_PROVIDER = 2
"""The circuit of a shared provider as a whole opens only if sessions of so many namespaces fail: what is wrong in one (its network, say) opens the
circuit of its own model and credential, and holds nobody else."""
SHOWN = timedelta(hours=1)
"""How long a circuit that was closed again is remembered, and shown; or for `breaker.window`: failures from before must not count again."""
PROBE_PATIENCE = timedelta(minutes=2)
"""A probe that has had no good answer for so long has failed: a provider that hangs says nothing at all."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """``spec.breaker`` of a ModelProvider; times in seconds."""

    failures: int = 5
    window: float = 600.0
    first: float = 30.0
    factor: int = 2
    longest: float = 600.0
    endpoint: bool = False
    """The circuit of the provider as a whole is probed by a request of our own, not by a session."""
    shared: bool = False
    """The provider serves every namespace."""

    def opens_for(self, openings: int) -> timedelta:
        """How long it stays open the n-th time in a row, from 1."""
        return timedelta(seconds=min(self.longest, self.first * self.factor ** min(openings - 1, 64)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt says about the provider: `GOOD`, or a class of errors that counts."""

    kind: str
    uid: str
    attempt: int
    namespace: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Probe:
    """The one session that may try; for the endpoint's own probe ``uid`` is empty."""

    uid: str
    attempt: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit. A new one is closed and has seen nothing."""

    state: State = "Closed"
    since: datetime | None = None
    """The last change of the state."""
    reason: str = ""
    """The class of errors that opened it."""
    openings: int = 0
    """How often in a row, without having been closed between."""
    until: datetime | None = None
    """When it may be tried again."""
    probe: Probe | None = None
    failures: tuple[Outcome, ...] = ()
    """The newest, as many as open it."""
    good: datetime | None = None
    """The newest good answer."""

    @property
    def closed(self) -> bool:
        return self.state == "Closed"


def counts(scope: Scope, kind: str) -> bool:
    """Whether an outcome of this kind is about this scope."""
    if kind == GOOD:
        return True
    about = policy(kind).counts
    return about == "Credential" if scope.kind == "Credential" else about == "Provider"


def next_state(circuit: Circuit, outcome: Outcome, scope: Scope, breaker: Breaker, now: datetime) -> Circuit:
    """The circuit after an outcome that `counts` for it."""
    probe = circuit.probe
    if probe is not None and (probe.uid, probe.attempt) == (outcome.uid, outcome.attempt):
        return _decided(circuit, outcome, breaker, now)
    if not circuit.closed:
        return circuit  # of those that run already nothing is to be learnt: only the probe decides
    if circuit.since is not None and outcome.at <= circuit.since:
        return circuit
    if outcome.kind == GOOD:
        return replace(circuit, good=max(outcome.at, circuit.good or outcome.at))
    if any((one.uid, one.attempt) == (outcome.uid, outcome.attempt) for one in circuit.failures):
        return circuit
    newest = sorted((*circuit.failures, outcome), key=lambda one: one.at)[-_kept(scope, breaker) :]
    circuit = replace(circuit, failures=tuple(newest))
    return _opened(circuit, outcome.kind, breaker, now) if _is_enough(circuit, outcome, scope, breaker, now) else circuit


def _kept(scope: Scope, breaker: Breaker) -> int:
    """Enough to see whether failures come from more than one namespace."""
    return breaker.failures * (4 if _wants_more_namespaces(scope, breaker) else 1)


def _wants_more_namespaces(scope: Scope, breaker: Breaker) -> bool:
    return scope.kind == "Provider" and breaker.shared


def _is_enough(circuit: Circuit, outcome: Outcome, scope: Scope, breaker: Breaker, now: datetime) -> bool:
    if outcome.kind == AUTH_FAILED:
        return circuit.good is None or outcome.at >= circuit.good  # every further try is wasted
    earliest = now - timedelta(seconds=breaker.window)
    recent = [one for one in circuit.failures if one.at > earliest and (circuit.good is None or one.at > circuit.good)]
    several = len({one.namespace for one in recent}) >= NAMESPACES_OF_A_SHARED_PROVIDER
    return len(recent) >= breaker.failures and (several or not _wants_more_namespaces(scope, breaker))


def _decided(circuit: Circuit, outcome: Outcome, breaker: Breaker, now: datetime) -> Circuit:
    """What the probe says. One that failed may still get its good answer, while the circuit is open again."""
    if outcome.kind == GOOD:
        return Circuit(since=now, good=max(outcome.at, now))
    return _opened(circuit, outcome.kind, breaker, now) if circuit.state == "HalfOpen" else circuit


def _opened(circuit: Circuit, reason: str, breaker: Breaker, now: datetime) -> Circuit:
    openings = circuit.openings + 1
    return Circuit(state="Open", since=now, reason=reason, openings=openings, until=now + breaker.opens_for(openings), probe=circuit.probe)


def at(circuit: Circuit, breaker: Breaker, now: datetime) -> Circuit:
    """The circuit at this moment: the wait is over, or the probe has had its time."""
    if circuit.until is not None and circuit.until > now + timedelta(seconds=breaker.longest):  # the clock was set back
        circuit = replace(circuit, until=now + timedelta(seconds=breaker.longest))
    if circuit.state == "Open" and circuit.until is not None and circuit.until <= now:
        return replace(circuit, state="HalfOpen", since=now, until=None, probe=None)
    if circuit.state == "HalfOpen" and circuit.probe is not None:
        since = min(circuit.probe.since, now)
        if now >= since + PROBE_PATIENCE:
            return _opened(circuit, circuit.reason, breaker, now)
        return replace(circuit, probe=replace(circuit.probe, since=since))
    return circuit


def claimed(circuit: Circuit, uid: str, attempt: int, now: datetime) -> Circuit:
    """This attempt is the probe."""
    assert circuit.state == "HalfOpen"
    assert circuit.probe is None
    return replace(circuit, probe=Probe(uid, attempt, now))


def released(circuit: Circuit, uid: str) -> Circuit:
    """This session tries no more, without having found out anything: the place is free."""
    if circuit.state != "HalfOpen" or circuit.probe is None or circuit.probe.uid != uid:
        return circuit
    return replace(circuit, probe=None)


def tried_soon(circuit: Circuit, now: datetime) -> Circuit:
    """Somebody has changed the provider: what was open may be tried at once."""
    return replace(circuit, until=now) if circuit.state == "Open" else circuit


def forgotten(circuit: Circuit, breaker: Breaker, now: datetime) -> bool:
    """Whether nothing that it has seen matters any more."""
    earliest = now - max(timedelta(seconds=breaker.window), SHOWN)
    moments = [*(one.at for one in circuit.failures), *filter(None, (circuit.since, circuit.good))]
    return circuit.closed and all(moment < earliest for moment in moments)


def next_moment(circuit: Circuit) -> datetime | None:
    """When `at` may change it."""
    if circuit.state == "HalfOpen" and circuit.probe is not None:
        return circuit.probe.since + PROBE_PATIENCE
    return circuit.until
