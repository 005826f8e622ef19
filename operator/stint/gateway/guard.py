"""Around the calls to the provider: an endpoint that has failed a few times in a row is left alone for a moment, and the agent is told at once.

pybreaker keeps the count. It is told how a call ended, and not wrapped around it: a call that the agent gives up says nothing about the provider,
but the library would take it for a failure, or, told to leave it out, for a success. And it would let every call through that comes while one tries
again; here it is one.

What the provider answers to a bad request is an answer: it lives.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from pybreaker import STATE_CLOSED, CircuitBreaker, CircuitBreakerError, CircuitMemoryStorage

from stint.gateway.errors import PROVIDER_UNREACHABLE, Refusal, Refused

FAILURES = 5
"""In a row. The CLI gives an overloaded model up after three; this many are seen where it would go on for minutes."""
REST = 10.0
"""Seconds until it is tried again. The CLI waits as long as `retry-after` says, up to a minute."""
FAILING = frozenset({"ProviderUnreachable", "ServerError", "Overloaded"})


class ProviderFailed(Exception):
    """How the library is told of a failure."""


class Call:
    """One call that was let through; tell it `ended`, however it ended."""

    def __init__(self, guard: Guard, tries: bool) -> None:
        self._guard = guard
        self._tries = tries

    def ended(self, kind: str | None) -> None:
        """``kind`` is what the provider said (`stint.gateway.errors`), None if nothing was learnt."""
        if self._tries:
            self._guard.trying = False
        if kind is not None:
            self._guard.learnt(kind)


class Guard:
    """The provider's endpoint, as this pod sees it."""

    def __init__(self, endpoint: str, rest: float = REST) -> None:
        self._endpoint = endpoint
        self._rest = timedelta(seconds=rest)
        self._storage = CircuitMemoryStorage(STATE_CLOSED)
        self._breaker = CircuitBreaker(fail_max=FAILURES, reset_timeout=rest, state_storage=self._storage, throw_new_error_on_trip=False)
        self._last = ""
        self.trying = False

    def enter(self) -> Call:
        """A call may go out. Raises Refused while it may not."""
        if self._storage.state == STATE_CLOSED:
            return Call(self, tries=False)
        left = (self._storage.opened_at or datetime.min.replace(tzinfo=UTC)) + self._rest - datetime.now(UTC)
        if left > timedelta(0) or self.trying:
            raise Refused(self._refusal(max(1, math.ceil(left.total_seconds()))))
        self.trying = True
        return Call(self, tries=True)

    def learnt(self, kind: str) -> None:
        """How a call ended."""
        try:
            with self._breaker.calling():
                if kind in FAILING:
                    self._last = kind
                    raise ProviderFailed
        except (ProviderFailed, CircuitBreakerError):
            pass  # the second: it opened while this call was under way

    def _refusal(self, seconds: int) -> Refusal:
        message = f"The provider at {self._endpoint} has failed {FAILURES} times in a row (last: {self._last}). It is asked again in {seconds} s."
        return Refusal(502, PROVIDER_UNREACHABLE, message, retry=True, retry_after=seconds)
