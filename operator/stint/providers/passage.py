"""A session as its provider sees it, and what the provider answers: may its next attempt start?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stint.engine.keys import Key
from stint.providers.line import Gate, Waiter
from stint.providers.scope import Credential, Scope, scopes


@dataclass(frozen=True, slots=True)
class Passage:
    """An attempt, its provider, and with which model and credential it asks there."""

    provider: Key
    key: Key
    """The session's."""
    uid: str
    attempt: int
    model: str
    credential: Credential
    priority: int
    created: datetime

    @property
    def scopes(self) -> tuple[Scope, Scope, Scope]:
        return scopes(self.model, self.credential)

    @property
    def gates(self) -> tuple[Gate, ...]:
        """Its circuits, and the windows of its credential."""
        return (*self.scopes, self.credential)

    def waiter(self) -> Waiter:
        return Waiter(self.uid, self.attempt, self.priority, self.created, self.gates)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why it may not start now. ``until`` is when that may change, as far as it is known."""

    reason: str
    message: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the provider's part in a finished attempt was."""

    error: str = ""
    """The class of the provider's failure, if that was its last answer, by the word of the gateway."""
    probe: bool = False
    """The attempt was the one that tried an open circuit."""
