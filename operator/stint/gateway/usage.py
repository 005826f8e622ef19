"""What was used: tokens of one answer, and the totals of this pod.

Values only. How tokens are read from an answer is `meter`'s business, what they cost is `prices`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

OTHER = "other"
MAX_MODELS = 64  # distinct names kept apart: some providers echo whatever name the agent asked for
_MAX_NAME = 128


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one answer, by what they are billed as; `web_searches` are searches, not tokens."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    web_searches: int = 0

    @property
    def cache_write(self) -> int:
        return self.cache_write_5m + self.cache_write_1h


@dataclass(frozen=True, slots=True)
class Part:
    """A share of an answer's tokens; `model` is None where the answer did not name one."""

    model: str | None
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Metered:
    """What one request used. The first part is the answer itself; others are models that worked inside the same request."""

    parts: tuple[Part, ...]
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Charge:
    """A part with its price: `cost` in USD."""

    model: str
    tokens: Tokens
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one model, or of all of them; `cost` in USD, exact."""

    requests: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cost: Decimal = Decimal(0)

    @property
    def tokens(self) -> int:
        """Every token the model read or wrote; what a limit on tokens counts."""
        return self.input + self.output + self.cache_read + self.cache_write

    def plus(self, other: Tally) -> Tally:
        return Tally(
            requests=self.requests + other.requests,
            input=self.input + other.input,
            output=self.output + other.output,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
            cost=self.cost + other.cost,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """The totals of this pod since it started."""

    total: Tally = Tally()
    estimated: bool = False
    by_model: Mapping[str, Tally] = field(default_factory=dict)

    def add(self, charges: tuple[Charge, ...], *, estimated: bool) -> Usage:
        """One request more. Its first charge counts as the request; the others only add tokens and cost."""
        by_model = dict(self.by_model)
        total = self.total
        for place, charge in enumerate(charges):
            tokens = charge.tokens
            tally = Tally(
                requests=1 if place == 0 else 0,
                input=tokens.input,
                output=tokens.output,
                cache_read=tokens.cache_read,
                cache_write=tokens.cache_write,
                cost=charge.cost,
            )
            name = known_as(charge.model)
            if name not in by_model and len(by_model) >= MAX_MODELS:
                name = OTHER
            by_model[name] = by_model.get(name, Tally()).plus(tally)
            total = total.plus(tally)
        return replace(self, total=total, estimated=self.estimated or estimated, by_model=by_model)


def known_as(model: str) -> str:
    """A model's name as it may stand in reports and logs: printable and bounded."""
    return "".join(letter for letter in model if letter.isprintable())[:_MAX_NAME]
