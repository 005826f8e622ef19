"""Names and ids that follow from the session alone, so that doing a thing twice finds it done."""

from __future__ import annotations

import uuid
from functools import lru_cache

KIND = "AgentSession"
SESSION_LABEL = "stint.dev/session"
SESSION_UID_LABEL = "stint.dev/session-uid"
ATTEMPT_LABEL = "stint.dev/attempt"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "stint"
POD_SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY},{SESSION_LABEL}"
POLICY_SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
OWNER_UID_ANNOTATION = "stint.dev/owner-uid"
"""On volumes that outlive their session: whose they were."""

FINALIZER = "stint.dev/ledger"
"""Holds a session that is deleted until what it used is carried over into its budgets."""
RESERVED_ANNOTATION = "stint.dev/reserved"
"""On pods: what the attempt may use at most, as JSON ``{"cost": "1.25", "tokens": 100000}``."""

CONVERSATIONS = uuid.UUID("6f6b7f2e-2f5a-5c8e-9d2b-5a1d7b0c4e11")


def pod_name(session: str, attempt: int) -> str:
    """At most 52 + 1 + 10 characters, a valid host name."""
    return f"{session}-{attempt}"


def volume_name(session: str, uid: str) -> str:
    """Carries eight characters of the uid: a session created again under the same name never finds its predecessor's volume."""
    return f"{session}-{uid[:8]}"


@lru_cache(maxsize=1024)
def conversation(session_uid: str) -> str:
    """The conversation's id at the CLI: the same for every attempt of a session, different for every session that ever was."""
    return str(uuid.uuid5(CONVERSATIONS, session_uid))
