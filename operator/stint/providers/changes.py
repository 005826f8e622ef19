"""What is worth an Event of a provider: a circuit has another state, a window warns or rejects. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stint.engine.plan import EventRecord
from stint.providers.reasons import CIRCUIT_CLOSED, CIRCUIT_HALF_OPEN, CIRCUIT_OPEN, WINDOW_REJECTED, WINDOW_WARNING

Json = Mapping[str, Any]
SCOPE = ("scope", "model", "namespace", "secret")
WINDOW = ("namespace", "secret", "window")


def changes(old: Json, new: Json) -> Iterator[EventRecord]:
    """One Event for each change between two statuses."""
    for one in _changed(old, new):
        yield _circuit(one)
    windows = {_key(one, WINDOW): one for one in old.get("windows") or ()}
    for one in new.get("windows") or ():
        before = windows.get(_key(one, WINDOW), {})
        if one["status"] != before.get("status") and one["status"] != "Allowed":
            yield _window(one)


def transitions(old: Json, new: Json) -> Iterator[str]:
    """The new states of circuits that have changed between two statuses."""
    for one in _changed(old, new):
        yield one["state"]


def _changed(old: Json, new: Json) -> Iterator[Json]:
    circuits = {_key(one, SCOPE): one for one in old.get("circuits") or ()}
    for one in new.get("circuits") or ():
        before = circuits.get(_key(one, SCOPE), {"state": "Closed"})
        if one["state"] != before["state"]:
            yield one


def _key(one: Json, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one.get(name, "") for name in names)


def _circuit(one: Json) -> EventRecord:
    whose = _whose(one)
    match one["state"]:
        case "Open":
            again = "" if one.get("openings", 1) == 1 else f", {one['openings']} times in a row"
            message = f"circuit of {whose}: open after {one.get('reason')}{again}; it is tried again at {one.get('until')}"
            return EventRecord(CIRCUIT_OPEN, message, warning=True)
        case "HalfOpen":
            return EventRecord(CIRCUIT_HALF_OPEN, f"circuit of {whose}: half-open, one tries whether it answers again")
    return EventRecord(CIRCUIT_CLOSED, f"circuit of {whose}: closed, it answers again")


def _whose(one: Json) -> str:
    match one["scope"]:
        case "Provider":
            return "the provider as a whole"
        case "Model":
            return f"model {one.get('model')} with Secret {one.get('namespace')}/{one.get('secret')}"
    return f"Secret {one.get('namespace')}/{one.get('secret')}"


def _window(one: Json) -> EventRecord:
    whose = f"window {one['window']} of Secret {one['namespace']}/{one['secret']}"
    reset = f", reset at {one['resetsAt']}" if one.get("resetsAt") else ""
    if one["status"] == "Rejected":
        return EventRecord(WINDOW_REJECTED, f"{whose}: used up{reset}; sessions wait", warning=True)
    full = f" ({one['utilization']} %)" if one.get("utilization") is not None else ""
    return EventRecord(WINDOW_WARNING, f"{whose}: nearly used up{full}{reset}; sessions start one after the other", warning=True)
