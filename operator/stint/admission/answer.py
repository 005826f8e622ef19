"""What is said to a request."""

from __future__ import annotations

from dataclasses import dataclass

INVALID, NO_ROOM = 422, 429
"""HTTP: it cannot be understood as it is; there is no room for it now."""


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
