"""All that the server knows while it runs, in one place, handed to the handlers by the application."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from mockapi.credential import Keys
from mockapi.faults import Faults, Troubles
from mockapi.gates import Gates
from mockapi.prices import PriceTable, default_prices
from mockapi.ratelimit import RateLimits
from mockapi.record import Call, Recorder


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides."""

    keys: Sequence[str] | None = None  # None: any credential is good
    prices: PriceTable = field(default_factory=default_prices)
    keep: int = 2_000  # requests in the ring
    bodies: bool = False


class Mock:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.prices = options.prices
        self.keys = Keys(options.keys)
        self.recorder = Recorder(options.keep, bodies=options.bodies)
        self.faults = Faults()
        self.troubles = Troubles()
        self.gates = Gates()
        self.ratelimits = RateLimits()

    def reset(self) -> None:
        """As new. Requests that wait at a gate stay there, and can still be let through by its name."""
        self.keys = Keys(self.options.keys)
        self.faults = Faults()
        self.ratelimits = RateLimits()
        self.troubles.clear()
        self.gates.close_all()
        self.recorder.clear()


MOCK: web.AppKey[Mock] = web.AppKey("mock", Mock)
CALL: web.RequestKey[Call] = web.RequestKey("call", Call)
BODY: web.RequestKey[dict[str, Any]] = web.RequestKey("body", dict)
