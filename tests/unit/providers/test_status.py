"""Circuits in a ModelProvider's status: what is written is what is read again; and what is worth an Event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stint.api.provider import ProviderSpec
from stint.providers.changes import changes
from stint.providers.circuit import Breaker, Circuit, Probe
from stint.providers.scope import WHOLE, Credential, Scope, scopes, spoken
from stint.providers.status import read_breaker, read_circuits, write_circuits

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
MODEL, SECRET = scopes("claude-x", Credential("team-a", "anthropic"))[1:]
OPEN = Circuit("Open", NOW, "Overloaded", 2, NOW + timedelta(seconds=60))
TRIED = Circuit("HalfOpen", NOW, "AuthFailed", 1, None, Probe("u-1", 3, NOW))


def test_the_settings_of_a_provider_that_names_none() -> None:
    assert read_breaker(ProviderSpec.read({}), shared=False) == Breaker()


def test_every_setting_is_read() -> None:
    spec = {"failures": 2, "window": "1m", "openFor": {"initial": "5s", "factor": 3, "max": "1h"}, "probe": "Endpoint"}
    found = read_breaker(ProviderSpec.read({"breaker": spec}), shared=True)
    assert found == Breaker(failures=2, window=60, first=5, factor=3, longest=3600, endpoint=True, shared=True)


def test_what_is_written_is_read_again() -> None:
    known = {WHOLE: OPEN, MODEL: OPEN, SECRET: TRIED}
    assert read_circuits({"circuits": write_circuits(known, Breaker(), NOW)}) == known
    assert read_circuits({}) == {}


def test_circuits_that_never_opened_or_closed_long_ago_are_not_shown() -> None:
    known = {WHOLE: Circuit(good=NOW), MODEL: Circuit(since=NOW - timedelta(hours=1)), SECRET: Circuit(since=NOW - timedelta(minutes=59))}
    assert [one["scope"] for one in write_circuits(known, Breaker(), NOW)] == ["Credential"]
    assert len(write_circuits(known, Breaker(window=7200), NOW)) == 2


def test_of_too_many_those_with_a_probe_are_kept() -> None:
    many = {Scope("Credential", "", f"team-{number:03d}", "s"): OPEN for number in range(300)}
    many[Scope("Credential", "", "team-999", "s")] = TRIED
    written = write_circuits(many, Breaker(), NOW)
    assert len(written) == 256
    assert written[-1]["probe"]["uid"] == "u-1"


def statuses(before: Circuit | None, after: Circuit, scope: Scope) -> tuple[Any, Any]:
    old = write_circuits({scope: before}, Breaker(), NOW) if before else []
    return {"circuits": old}, {"circuits": write_circuits({scope: after}, Breaker(), NOW)}


HALF = Circuit("HalfOpen", NOW, "Overloaded", 2)
CLOSED = Circuit(since=NOW)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, OPEN, ["CircuitOpen"]),
        (OPEN, HALF, ["CircuitHalfOpen"]),
        (HALF, TRIED, []),
        (HALF, OPEN, ["CircuitOpen"]),
        (HALF, CLOSED, ["CircuitClosed"]),
        (OPEN, OPEN, []),
        (CLOSED, CLOSED, []),
        (None, CLOSED, []),
    ],
)
def test_each_change_of_a_circuit_is_one_event(before: Circuit | None, after: Circuit, told: list[str]) -> None:
    assert [event.reason for event in changes(*statuses(before, after, WHOLE))] == told


@pytest.mark.parametrize(
    ("scope", "whose"), [(WHOLE, "the provider as a whole"), (MODEL, "model claude-x with Secret team-a/anthropic"), (SECRET, "Secret team-a/anthropic")]
)
def test_an_event_says_whose_circuit_it_is_and_until_when(scope: Scope, whose: str) -> None:
    [event] = changes(*statuses(None, OPEN, scope))
    assert event.warning
    assert event.message == f"circuit of {whose}: open after Overloaded, 2 times in a row; it is tried again at 2026-11-21T12:01:00Z"


def test_a_session_is_told_no_names_of_other_namespaces() -> None:
    assert [spoken(scope) for scope in (WHOLE, MODEL, SECRET)] == ["the provider", "model claude-x with Secret anthropic", "Secret anthropic"]


def told(status: str, **more: Any) -> Any:
    return {"windows": [{"namespace": "a", "secret": "s", "window": "FiveHour", "status": status, "seen": "2026-11-21T12:00:00Z", **more}]}


def test_a_window_that_warns_or_rejects_is_told_once() -> None:
    [warning] = changes({}, told("Warning", utilization=92))
    assert (warning.reason, warning.warning) == ("WindowWarning", True)
    assert warning.message == "window FiveHour of Secret a/s: nearly used up (92 %); sessions start one after the other"
    assert list(changes(told("Warning"), told("Warning", utilization=97))) == []
    [rejected] = changes(told("Warning"), told("Rejected", resetsAt="2026-11-21T15:00:00Z"))
    assert rejected.message == "window FiveHour of Secret a/s: used up, reset at 2026-11-21T15:00:00Z; sessions wait"
    assert list(changes(told("Rejected"), told("Allowed"))) == []
