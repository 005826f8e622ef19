"""Whether a request for the model may go out.

Rules are asked in order; the first that answers wins. A rule sees only the request's own words and what was used so far.
Nothing is sent for a refused request, so it costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from stint.gateway.config import GatewayConfig
from stint.gateway.errors import BUDGET_REACHED, Refusal, Refused
from stint.gateway.limit import reached
from stint.gateway.usage import Tally, known_as


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request for the model says about itself; `size` is its body in bytes."""

    model: str
    stream: bool
    max_tokens: int
    speed: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything a rule may look at."""

    ask: Ask
    used: Tally
    config: GatewayConfig


def read(body: bytes) -> Ask:
    """The request's words. Raises Refused."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("model"), str) or not document["model"]:
        message = "The body must be a JSON object that names its `model`, or it cannot be priced."
        raise Refused(Refusal(400, "invalid_request_error", message))
    most = document.get("max_tokens")
    speed = document.get("speed")
    return Ask(
        model=document["model"],
        stream=document.get("stream") is True,
        max_tokens=most if isinstance(most, int) and most > 0 else 0,
        speed=None if speed is None else str(speed),
        size=len(body),
    )


def beyond_limit(seen: Seen) -> Refusal | None:
    limit = reached(seen.used, seen.config.limits, str(seen.config.session))
    return None if limit is None else Refusal(429, BUDGET_REACHED, limit.message, limit=limit.resource)


def unknown_model(seen: Seen) -> Refusal | None:
    prices = seen.config.prices
    if prices.unknown != "Refuse" or prices.find(seen.ask.model) is not None:
        return None
    return Refusal(
        400,
        "invalid_request_error",
        f"The model {known_as(seen.ask.model)} has no price. Add it to spec.prices of the ModelProvider {seen.config.provider.name}, "
        "or set unknownModels: CountAsDearest there.",
    )


def unpriced_speed(seen: Seen) -> Refusal | None:
    """Fast answers cost a multiple of the model's price, which the table does not have; the agent could ask for them by itself."""
    if seen.ask.speed in (None, "standard"):
        return None
    message = f"The speed {known_as(str(seen.ask.speed))} has no price, so its cost cannot be limited. Leave `speed` out."
    return Refusal(400, "invalid_request_error", message)


RULES = (beyond_limit, unknown_model, unpriced_speed)


def refuse(seen: Seen) -> Refusal | None:
    """The first rule's refusal, or None if the request may go out."""
    for rule in RULES:
        refusal = rule(seen)
        if refusal is not None:
            return refusal
    return None
