"""The one input of every decision about a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from stint.api.provider import ProviderSpec
from stint.api.session import SessionSpec
from stint.budgets.spent_out import SpentOut
from stint.budgets.verdict import Verdict
from stint.engine.conditions import moment
from stint.engine.plan import Refusal, Stalled, Waiting
from stint.providers.passage import Blocked, Heard
from stint.sessions.pod_facts import PodFacts
from stint.sessions.references import Reference
from stint.sessions.resolve import Resolved, resolve
from stint.settings import Settings

NOTHING_HEARD = Heard()
Presence = Literal["there", "object missing", "key missing"]


@dataclass(frozen=True)
class Provider:
    """The ModelProvider that the session's reference leads to."""

    name: str
    namespace: str
    spec: ProviderSpec


@dataclass(frozen=True)
class Source:
    """The session that ``continueFrom`` names."""

    uid: str
    over: bool
    """Finished or suspended: nobody writes to its volume."""
    ephemeral: bool


@dataclass(frozen=True)
class Observed:
    """A session and everything around it, at one moment."""

    now: datetime
    namespace: str
    name: str
    uid: str
    generation: int
    item: dict[str, Any]
    """The session as the API server sent it; the plan holds for this version only."""
    settings: Settings
    spec: SessionSpec | None = None
    """None when it cannot be read; then ``invalid`` says why."""
    invalid: str = ""
    resolved: Resolved | None = None
    """None when the profile is missing."""
    provider: Provider | None = None
    source: Source | None = None
    presence: dict[Reference, Presence] = field(default_factory=dict)
    pods: tuple[PodFacts, ...] = ()
    log_tail: str = ""
    """The end of the agent's log, read only when the result says that it was cut."""
    policy_in_place: dict[str, Any] | None = None
    """The spec of the NetworkPolicy that the controller last put in place for this namespace and provider."""
    refusal: Refusal | None = None
    admission: Verdict | None = None
    """What the budgets say to its next attempt. None: they were not asked, because something else keeps it from starting or no budget counts it."""

    spent_out: SpentOut | None = None
    """A budget that stops its attempt, because what is spent has reached a limit."""
    blocked: Blocked | None = None
    """Why its provider lets no attempt start now: an open circuit, or a window that is used up."""
    heard: Heard = NOTHING_HEARD
    """What the provider's part in the attempt was that has ended."""
    counted: bool = False
    """A budget remembers what it uses, also when the session is gone."""
    carried: bool = False
    """It is to be deleted, and what it used is written down in its budgets."""
    leaving_since: datetime | None = None
    """When this process first saw that it is to be deleted and counted: a controller that was away has its time, too."""

    @property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = self.item["metadata"]
        return metadata

    @cached_property
    def status(self) -> dict[str, Any]:
        return self.item.get("status") or {}

    @cached_property
    def settled(self) -> int:
        return settled_attempt(self.status)

    @cached_property
    def pod(self) -> PodFacts | None:
        """The pod of the attempt that is not settled yet."""
        return next((pod for pod in self.pods if pod.attempt > self.settled), None)

    @property
    def deleting(self) -> bool:
        return "deletionTimestamp" in self.metadata

    @property
    def finalizers(self) -> tuple[str, ...]:
        return tuple(self.metadata.get("finalizers") or ())

    @property
    def finished(self) -> bool:
        return bool(self.status.get("completionTime"))

    @property
    def rerun_requested(self) -> bool:
        """``retryRequest`` holds a value that was not carried out yet."""
        wanted = self.retry_request
        return wanted is not None and wanted != moment(self.status.get("observedRetryRequest"))

    @property
    def begins_again(self) -> bool:
        """A finished session that is to run once more: asked for now, or its next pod is there already."""
        return self.finished and (self.rerun_requested or self.pod is not None)

    @property
    def has_talked(self) -> bool:
        """A settled attempt on the present volume has sent requests to the model."""
        since = int(self.status.get("volumeSince", 0))
        return any(attempt.get("requests") for attempt in self.status.get("history") or () if attempt["attempt"] >= since)

    @property
    def has_continued(self) -> bool:
        """``continueFrom`` has been copied to the volume: the source is not needed any more."""
        return self.has_talked and self.resolved is not None and not self.resolved.ephemeral

    @property
    def active_seconds(self) -> int:
        """How long the agent has run, in this run of the session."""
        return 0 if self.begins_again else int(self.status.get("activeSeconds", 0))

    @property
    def retry_request(self) -> datetime | None:
        """``spec.retryRequest`` in whole seconds, as the status holds it."""
        wanted = self.spec.retry_request if self.spec else None
        return wanted.replace(microsecond=0) if wanted is not None else None

    @property
    def terms(self) -> Resolved | None:
        """The settings that an attempt is settled by: without the profile when it is missing just now, None if the spec cannot be read."""
        if self.resolved is not None or self.spec is None:
            return self.resolved
        return resolve(self.spec, None, self.settings.default_cost_limit)

    @property
    def suspended(self) -> bool:
        return bool(self.spec and self.spec.suspend)

    @property
    def cancelled(self) -> bool:
        return bool(self.spec and self.spec.cancel)


Hold = Waiting | Stalled


def settled_attempt(status: Mapping[str, Any]) -> int:
    """Number of the last attempt whose end is in the status, 0 for none."""
    history = status.get("history") or []
    return int(history[-1]["attempt"]) if history else 0
