"""What is said to a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stint.budgets.reasons import BUDGET_REJECTED
from stint.telemetry.admission import Decision

INVALID, NO_ROOM = 422, 429
"""HTTP: it cannot be understood as it is; there is no room for it now."""

INVALID_OBJECT, NOT_A_REVIEW, HANDLER_FAILED = "InvalidObject", "NotAReview", "HandlerFailed"
REASONS = {INVALID: INVALID_OBJECT, NO_ROOM: BUDGET_REJECTED}


@dataclass(frozen=True, slots=True)
class Answer:
    """Yes, unless there is a refusal. Warnings are printed by kubectl in both cases."""

    warnings: tuple[str, ...] = ()
    refusal: str = ""
    code: int = 0
    """HTTP status of the refusal."""


YES = Answer()


def invalid(problem: str) -> Answer:
    return Answer(refusal=problem, code=INVALID)


def decision_of(response: Mapping[str, Any] | None) -> tuple[Decision, str]:
    """How a response to the API server is counted: decision and reason. None: the request could not be understood."""
    if response is None:
        return "Denied", NOT_A_REVIEW
    if response["allowed"]:
        return ("Warned" if response.get("warnings") else "Allowed"), ""
    return "Denied", REASONS.get(response["status"]["code"], HANDLER_FAILED)
