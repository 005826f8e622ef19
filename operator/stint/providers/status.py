"""Circuits and windows as a ModelProvider's status holds them: what survives a restart. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from stint.api.provider import CIRCUITS, WINDOWS, ProviderSpec
from stint.api.scalars import seconds
from stint.engine.conditions import moment, timestamp
from stint.providers.circuit import SHOWN, Breaker, Circuit, Probe
from stint.providers.scope import Credential, Scope
from stint.providers.window import Key, Window, Windows, urgent_first

Circuits = Mapping[Scope, Circuit]


def read_breaker(spec: ProviderSpec, shared: bool) -> Breaker:
    """``shared``: the provider is in the system namespace."""
    told = spec.breaker
    return Breaker(
        failures=told.failures, window=seconds(told.window), first=seconds(told.open_for.initial), factor=told.open_for.factor,
        longest=max(seconds(told.open_for.max), seconds(told.open_for.initial)), endpoint=told.probe == "Endpoint", shared=shared,
    )  # fmt: skip


def write_circuits(circuits: Circuits, breaker: Breaker, now: datetime) -> list[dict[str, Any]]:
    """Those that are worth to be remembered: with a probe first, then those that are not closed, then the newest."""
    kept = max(SHOWN, timedelta(seconds=breaker.window))
    shown = [(scope, one) for scope, one in circuits.items() if one.since is not None and (not one.closed or now < one.since + kept)]
    shown.sort(key=lambda pair: (pair[1].probe is None, pair[1].closed, -(pair[1].since or now).timestamp()))
    return [_circuit(scope, one) for scope, one in sorted(shown[:CIRCUITS], key=lambda pair: pair[0])]


def _circuit(scope: Scope, one: Circuit) -> dict[str, Any]:
    assert one.since is not None
    found: dict[str, Any] = {
        "scope": scope.kind, "model": scope.model, "namespace": scope.namespace, "secret": scope.secret,
        "state": one.state, "since": timestamp(one.since), "reason": one.reason, "openings": one.openings,
        "until": timestamp(one.until) if one.until else "",
    }  # fmt: skip
    if one.probe is not None:
        found["probe"] = {"uid": one.probe.uid, "attempt": one.probe.attempt, "since": timestamp(one.probe.since)}
    return {name: value for name, value in found.items() if value not in ("", 0)}


def read_circuits(status: Mapping[str, Any]) -> dict[Scope, Circuit]:
    return {
        Scope(one["scope"], one.get("model", ""), one.get("namespace", ""), one.get("secret", "")): Circuit(
            state=one["state"], since=moment(one["since"]), reason=one.get("reason", ""), openings=one.get("openings", 0),
            until=moment(one.get("until")), probe=_probe(one.get("probe")),
        )
        for one in status.get("circuits") or ()
    }  # fmt: skip


def _probe(document: Mapping[str, Any] | None) -> Probe | None:
    since = moment(document["since"]) if document else None
    return Probe(document["uid"], document["attempt"], since) if document and since else None


def write_windows(windows: Windows) -> list[dict[str, Any]]:
    """The most urgent, if there are too many."""
    shown = dict(urgent_first(windows)[:WINDOWS])
    return [_window(key[0], shown[key]) for key in sorted(shown)]


def _window(credential: Credential, one: Window) -> dict[str, Any]:
    found: dict[str, Any] = {
        "namespace": credential.namespace, "secret": credential.secret, "window": one.name, "status": one.status, "utilization": one.utilization,
        "resetsAt": timestamp(one.resets_at) if one.resets_at else None, "seen": timestamp(one.seen),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def read_windows(status: Mapping[str, Any]) -> dict[Key, Window]:
    return dict(_read_windows(status))


def _read_windows(status: Mapping[str, Any]) -> Iterator[tuple[Key, Window]]:
    for one in status.get("windows") or ():
        seen = moment(one["seen"])
        assert seen is not None
        window = Window(one["window"], one["status"], one.get("utilization"), moment(one.get("resetsAt")), seen)
        yield (Credential(one["namespace"], one["secret"]), window.name), window
