"""The retry policy: what becomes of a session whose attempt failed, by the class of the error. docs/reference/retries.md is printed from it.

What a class counts for: failures of the model's API itself count for the provider's circuits, failures that concern one credential for that
credential's circuit, a user's own mistake for none (`stint.providers.circuit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Counts = Literal["Provider", "Credential", "Nothing"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What one class of errors leads to."""

    retried: bool
    """Another attempt may cure it. If not, a person has to change something: the session fails, `Stalled`."""
    patience: int = 1
    """The first wait is so many times the session's `retry.backoff.initial`; it grows from there as the session says."""
    heeds: bool = False
    """The model's API may name a moment (`retry-after`, the reset of a window) before which no further attempt starts."""
    resumes: bool = True
    """The agent has worked, so the next attempt resumes its conversation, if the volume holds it. Else there is nothing to resume."""
    counts: Counts = "Nothing"


CURABLE, NEVER_BEGAN, HOPELESS = Policy(retried=True), Policy(retried=True, resumes=False), Policy(retried=False)

POLICIES = {
    "RateLimited": Policy(retried=True, patience=3, heeds=True, counts="Credential"),
    "Overloaded": Policy(retried=True, patience=3, heeds=True, counts="Provider"),
    "ServerError": Policy(retried=True, heeds=True, counts="Provider"),
    "ProviderUnreachable": Policy(retried=True, heeds=True, counts="Provider"),
    "AuthFailed": Policy(retried=False, counts="Credential"),
    "BillingFailed": HOPELESS,
    "InvalidRequest": HOPELESS,
    "ModelNotFound": HOPELESS,
    "ContextTooLarge": HOPELESS,
    "BudgetReached": HOPELESS,
    "MaxTurns": HOPELESS,
    "OutputInvalid": CURABLE,
    "ToolsUnavailable": CURABLE,
    "Timeout": HOPELESS,
    "InputInvalid": HOPELESS,
    "CloneFailed": NEVER_BEGAN,
    "ContinueFailed": NEVER_BEGAN,
    "AgentCrashed": CURABLE,
    "StartTimeout": NEVER_BEGAN,
}
"""All classes of the contract (docs/reference/pod-contract.md), and `StartTimeout`, which the controller finds by itself."""


def policy(reason: str) -> Policy:
    """The row of an attempt's reason; one that is no failure of the attempt's own has none, and is not tried again as a failure."""
    return POLICIES.get(reason, HOPELESS)
