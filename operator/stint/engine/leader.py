"""Who leads, decided from the Lease as it was read, our name, and the time.

The rules and figures are those of Kubernetes' own components (client-go)::

    standing by ──the Lease is free, or nobody has written it for its duration──▶ acquire ──▶ leading ──▶ renew, every 2 s
        ▲                                        │                                             │
        └──────── somebody was quicker ◀─────────┘                lost: not renewed for 10 s, or held by another

Clocks of different machines are never compared: a Lease has expired when no change of it was *seen* for its duration, on a clock of our own that only
goes forward. A leader counts from before the renewal was sent, everybody else from when it was seen, so it stops five seconds before anybody follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LEASE_DURATION = 15.0  # seconds
RENEW_DEADLINE = 10.0
RETRY_PERIOD = 2.0


@dataclass(frozen=True, slots=True)
class Lease:
    """What a Lease says; equal to another if nobody has written it in between."""

    holder: str
    """Empty: it was released."""
    duration: float = LEASE_DURATION
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """The Lease as it was seen last; None: there is none."""

    lease: Lease | None
    since: float
    """When it was first seen so. Times are seconds of one clock that only goes forward."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write our name into the Lease now: acquire or renew it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until then, unless the Lease changes before."""

    until: float


@dataclass(frozen=True, slots=True)
class Lost:
    """Another may lead any moment, or does already."""

    why: str


Decision = Write | Wait | Lost


def decide(sight: Sight, identity: str, now: float, *, renewed: float | None, failed: float | None = None) -> Decision:
    """What to do about the Lease. ``renewed``: when the last write was sent that succeeded, None while we do not lead; ``failed``: when the
    last try was begun, if it got no answer of use."""
    retry = now if failed is None else failed + RETRY_PERIOD
    if renewed is not None:
        return _leading(sight.lease, identity, now, renewed, retry)
    if sight.lease is not None and sight.lease.holder not in ("", identity):
        retry = max(retry, sight.since + sight.lease.duration)
    return Write() if now >= retry else Wait(retry)


def deadline(renewed: float) -> float:
    """Until when a leader may act that has renewed its Lease then."""
    return renewed + RENEW_DEADLINE


def _leading(lease: Lease | None, identity: str, now: float, renewed: float, retry: float) -> Decision:
    if lease is not None and lease.holder != identity:
        return Lost(f"the Lease is held by {lease.holder}" if lease.holder else "somebody released the Lease")
    if now >= deadline(renewed):
        return Lost(f"the Lease could not be renewed for {RENEW_DEADLINE:.0f} s")
    due = max(renewed + RETRY_PERIOD, retry)
    return Write() if now >= due else Wait(min(due, deadline(renewed)))


def read_lease(item: Mapping[str, Any]) -> Lease:
    """The Lease in an object of the API server; it may have been written by hand."""
    spec = item.get("spec") or {}
    return Lease(
        spec.get("holderIdentity") or "",
        float(spec.get("leaseDurationSeconds") or LEASE_DURATION),
        spec.get("acquireTime") or "",
        spec.get("renewTime") or "",
        int(spec.get("leaseTransitions") or 0),
    )


def held(lease: Lease | None, identity: str, now: datetime) -> dict[str, Any]:
    """The spec that says that we hold it. ``now`` is for people: nobody decides by it."""
    ours = lease is not None and lease.holder == identity
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": int(LEASE_DURATION),
        "acquireTime": lease.acquired if lease is not None and ours and lease.acquired else micro_time(now),
        "renewTime": micro_time(now),
        "leaseTransitions": 0 if lease is None else lease.transitions + (not ours),
    }


def released(lease: Lease, now: datetime) -> dict[str, Any]:
    """The spec that lets another one follow at once."""
    spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "leaseTransitions": lease.transitions}
    return {**spec, "acquireTime": micro_time(now), "renewTime": micro_time(now)}


def micro_time(moment: datetime) -> str:
    """As Kubernetes writes a MicroTime."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
