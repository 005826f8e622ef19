"""When a session has used up what it was given.

A request is refused once used ≥ limit, not when it might pass the limit: how much an answer will use is known only at its
end. Near the limit requests take turns (`Record.crowded`), so the overshoot is one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from stint.gateway.usage import Tally

Resource = Literal["cost", "tokens", "inputTokens", "outputTokens"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is left for this attempt: USD and tokens; None is no limit. Input and output are limited by budgets only."""

    cost: Decimal | None = None
    tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that is used up, and a sentence about it for the session's user."""

    resource: Resource
    message: str


def reached(used: Tally, limits: Limits, session: str) -> Reached | None:
    """The limit that is used up, cost before tokens; `session` is the name to show, as `namespace/name`."""
    if limits.cost is not None and used.cost >= limits.cost:
        return Reached("cost", _sentence(f"{limits.cost} USD", f"{used.cost:.6f} USD", session, "cost"))
    if limits.tokens is not None and used.tokens >= limits.tokens:
        return Reached("tokens", _sentence(f"{limits.tokens} tokens", f"{used.tokens} tokens", session, "tokens"))
    if limits.input_tokens is not None and used.input >= limits.input_tokens:
        return Reached("inputTokens", _sentence(f"{limits.input_tokens} tokens of input", f"{used.input}", session, "inputTokens"))
    if limits.output_tokens is not None and used.output >= limits.output_tokens:
        return Reached("outputTokens", _sentence(f"{limits.output_tokens} tokens of output", f"{used.output}", session, "outputTokens"))
    return None


def _sentence(limit: str, used: str, session: str, resource: Resource) -> str:
    where = f"spec.limits.{resource} of the AgentSession" if resource in ("cost", "tokens") else f"spec.reserve.{resource} of the RateBudget"
    return f"This attempt of session {session} may use {limit} and has used {used}. To let it go on, raise {where}; it counts from the next attempt."
