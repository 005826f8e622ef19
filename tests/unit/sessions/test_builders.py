"""The kit refuses what no cluster can show: a decision about it would prove nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulation import pod_status
from simulation.pod_status import stamp
from stint.sessions.observed import Source
from stint.sessions.references import Reference
from unit.sessions.builders import (
    Impossible,
    ahead,
    attempt,
    ended_pod,
    observed,
    pod,
    profile,
    provider,
    running_pod,
    session,
    status,
)

IMPOSSIBLE: dict[str, Callable[[], object]] = {
    "a spec that the CRD refuses": lambda: session({"suspend": "no"}),
    "a status that the CRD refuses": lambda: session(status={"attempt": -1}),
    "a provider that the CRD refuses": lambda: provider({"type": "None"}),
    "a profile that the CRD refuses": lambda: profile({"limits": {"cost": "-1"}}),
    "attempts that are out of order": lambda: observed(session(status=status(history=[attempt(2), attempt(1)]))),
    "an attempt that stands there twice": lambda: observed(session(status=status(history=[attempt(1), attempt(1)]))),
    "a latest attempt before the last of the history": lambda: observed(session(status=status(history=[attempt(3)]) | {"attempt": 1})),
    "an end, and a next attempt": lambda: observed(session(status=status(completionTime=stamp(ahead(0)), nextRetryTime=stamp(ahead(9))))),
    "a pod of another session": lambda: observed(pods=[running_pod(owner="somebody else")]),
    "two pods that can write": lambda: observed(pods=[running_pod(1), running_pod(2)]),
    "two pods of one name": lambda: observed(pods=[ended_pod(number=1, uid="x"), ended_pod(number=1, uid="y")]),
    "a source that nobody asked for": lambda: observed(source=Source("uid", True, False)),
    "a provider that the session does not name": lambda: observed(provider=provider(name="other")),
    "Secrets looked for without a provider": lambda: observed(presence={Reference("Secret", "x", None): "there"}, no_provider=True),
    "the log of no pod": lambda: observed(log_tail="text"),
}


@pytest.mark.parametrize("ask", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_the_impossible_is_refused(ask: Callable[[], object]) -> None:
    with pytest.raises(Impossible):
        ask()


def test_the_ordinary_is_not() -> None:
    seen = observed()
    assert (seen.finished, seen.suspended, seen.pod, seen.invalid) == (False, False, None, "")
    assert seen.resolved is not None
    assert seen.provider is not None


def test_an_old_pod_beside_the_running_one_is_possible() -> None:
    history = [attempt(1, "Failed", "Overloaded")]
    seen = observed(session(status=status(history=history)), pods=[pod(pod_status.at_work(ahead(-9)), 2), ended_pod(number=1)])
    assert seen.pod is not None
    assert seen.pod.attempt == 2
