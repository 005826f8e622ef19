"""Which running sessions a budget stops: those of accounts in which what is spent (not what is reserved) has reached a limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from stint.api.budget import WhenSpent
from stint.budgets.account import Account
from stint.budgets.budget import BudgetKey
from stint.budgets.windows import moment
from stint.engine.conditions import timestamp


@dataclass(frozen=True, slots=True)
class SpentOut:
    """An account that is spent."""

    budget: BudgetKey
    account: str
    limit: str
    action: WhenSpent
    """Suspend or Stop."""
    running: frozenset[str]
    """Uids of the sessions that run in it."""
    until: datetime | None
    """When what is spent is below the limit again if nothing is added."""


    @property
    def message(self) -> str:
        """One sentence for the session."""
        where = f"budget {self.budget}, account {self.account}: limit {self.limit} is spent"
        if self.action == "Stop":
            return f"{where}, and the budget stops what runs then (whenSpent)"
        when = f"at {timestamp(self.until)}" if self.until is not None else "when the limit is raised"
        return f"{where}; the session goes on {when}"


def spent_out(accounts: Iterable[Account], now: datetime) -> list[SpentOut]:
    """The spent accounts of budgets that do something about it. Starts do not count: they are over once they have happened."""
    at = now.timestamp()
    found = []
    for account in accounts:
        if account.budget.when_spent == "Continue" or not account.running:
            continue
        for meter in account.meters:
            if meter.spent is None or meter.limit.resource == "sessions" or meter.spent.total(at) < meter.limit.amount:
                continue
            until = meter.spent.below(meter.limit.amount, at)
            found.append(
                SpentOut(
                    account.budget.key, account.name, meter.limit.name, account.budget.when_spent, frozenset(account.running),
                    moment(until) if until is not None else None,
                )
            )  # fmt: skip
            break
    return found
