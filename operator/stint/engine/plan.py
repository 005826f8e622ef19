"""What a pure ``plan()`` returns, and nothing else happens to the cluster than what stands in it.

A plan is carried out in this order: status or finalizers, deletions, creations, Events. The status goes first so that an attempt is settled before
its pod can disappear (``delete_first`` turns the first two round, for a status that says the deletions are done). A crash between any two writes
leaves a cluster from which the next pass continues.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stint.kube.resources import Resource

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """It cannot go on yet. ``until`` is when to look again; None: something else will change first."""

    reason: str
    message: str
    until: datetime | None = None
    kind: str = ""
    """Kind of the object waited for, empty when it is none of our kinds."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Stalled:
    """It cannot go on until a person changes something."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Create:
    """Create ``manifest``, once: an object of this name that is ours already is success."""

    resource: Resource
    manifest: Manifest
    shared: bool = False
    """Belongs to no single owner (a NetworkPolicy of the namespace): one that is there already is brought up to date."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object of this very uid; gone already is success."""

    resource: Resource
    namespace: str
    name: str
    uid: str | None
    grace_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A Kubernetes Event on the object. Only for what is out of the ordinary: each is one more write."""

    reason: str
    message: str
    warning: bool = False


NAME_TAKEN = "NameTaken"
NAMESPACE_TERMINATING = "NamespaceTerminating"
REFUSED_RETRY = 30.0
"""Seconds until a creation that the API server refused is tried again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API server refused something we wanted to create (quota, Pod Security, validation). Shown in the next plan."""

    kind: str
    name: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """``status`` is the whole new status, or None to leave it; ``finalizers`` are all that the object is to have (never both in one plan: each needs
    the version that was seen); ``look_again`` is when time alone may change the plan."""

    status: Mapping[str, Any] | None = None
    finalizers: tuple[str, ...] | None = None
    delete: tuple[Delete, ...] = ()
    create: tuple[Create, ...] = ()
    events: tuple[EventRecord, ...] = ()
    look_again: datetime | None = None
    delete_first: bool = False
