"""The answer of the ledger, and the sentences that go with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from stint.api.budget import AtLimit, BudgetResource
from stint.budgets.amounts import NOTHING, Amounts, plain
from stint.budgets.budget import BudgetKey
from stint.engine.conditions import timestamp

ADMITTED = "Admitted"
"""The outcome of an attempt that may start; the others are reasons: `BUDGET_FULL`, `BUDGET_REJECTED` and `EXCEEDS_BUDGET`."""

UNITS: dict[BudgetResource, str] = {
    "sessions": "starts",
    "concurrency": "running sessions",
    "cost": "USD",
    "tokens": "tokens",
    "inputTokens": "tokens of input",
    "outputTokens": "tokens of output",
}


@dataclass(frozen=True, slots=True)
class Shortage:
    """A limit of an account that has no room."""

    budget: BudgetKey
    at_limit: AtLimit
    account: str
    limit: str
    resource: BudgetResource
    amount: Decimal
    """The limit itself."""
    spent: Decimal
    reserved: Decimal
    need: Decimal
    until: datetime | None
    """When there will be room if nothing else changes; None: when running sessions have ended."""
    exceeds: bool
    """The need is larger than the limit itself."""
    spread: bool
    """Starts are spread over the window."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """May an attempt start?"""

    outcome: str
    request: Amounts
    """What is set aside for it; the gateway refuses further requests once it is used up."""
    shortages: tuple[Shortage, ...] = ()
    """What it waits for, or fails on."""
    warnings: tuple[Shortage, ...] = ()
    """Limits without room in budgets that only warn."""

    @property
    def admitted(self) -> bool:
        return self.outcome == ADMITTED

    @property
    def decisive(self) -> Shortage:
        """The shortage that is named: what takes longest. Only where something is short."""
        return max(self.shortages, key=lambda short: (short.until is None, short.until.timestamp() if short.until else 0.0))

    @property
    def until(self) -> datetime | None:
        """When it may go on; None when that is not known."""
        return self.decisive.until if self.shortages else None

    @property
    def message(self) -> str:
        """One sentence about the shortage that decides; empty for an admitted attempt."""
        return "" if not self.shortages else sentence(self.decisive)


FREE = Verdict(ADMITTED, NOTHING)
"""Nothing limits it."""


def sentence(short: Shortage) -> str:
    """Budget, account, amounts, and when it may go on: ``budget stint-system/team, account Namespace=a, limit day: …``."""
    where = f"budget {short.budget}, account {short.account}, limit {short.limit}: "
    unit = UNITS[short.resource]
    if short.exceeds:
        return (
            f"{where}the session asks for {plain(short.need)} {unit}, which is more than the whole limit of {plain(short.amount)}; "
            "lower the limits of the session, or raise the budget's"
        )
    when = f"there is room at {timestamp(short.until)}" if short.until else "there is room when running sessions have ended"
    if short.spread:
        return f"{where}starts are spread over time, {plain(short.amount)} per window; {when}"
    held = short.spent + short.reserved
    if short.resource == "concurrency":
        return f"{where}{plain(held)} of {plain(short.amount)} {unit}; {when}"
    left = max(Decimal(0), short.amount - held)
    return (
        f"{where}{plain(left)} of {plain(short.amount)} {unit} left ({plain(short.spent)} spent, {plain(short.reserved)} reserved), "
        f"{plain(short.need)} needed; {when}"
    )
