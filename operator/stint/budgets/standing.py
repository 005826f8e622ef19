"""A budget as its status shows it: the ledger's figures, for whoever has no ledger.

Never better than the last publication. An account that is not among the fullest, which the status shows, counts as empty; a limit that spreads starts
over time has no figure that says when the next one is due, so only starts that are given here count in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from stint.budgets.account import Account, Meter
from stint.budgets.budget import Budget
from stint.budgets.facts import Running
from stint.budgets.windows import Rolling
from stint.engine.conditions import moment

NOBODY = ""


@dataclass(frozen=True)
class Standing:
    """A budget and its status."""

    budget: Budget
    status: Mapping[str, Any]
    generation: int = 0
    """Of the object that the budget was read from."""

    @cached_property
    def _told(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """What the status says of each limit, by account and limit."""
        accounts = self.status.get("accounts") or ()
        return {account["key"]: {limit["name"]: limit for limit in account.get("limits") or ()} for account in accounts}

    def account(self, key: tuple[str, ...], since: Sequence[Running] = ()) -> Account:
        """The account of this key. `since`: what was let in and is not in the status yet, in the order of time."""
        account = Account(self.budget, key)
        told = self._told.get(account.name, {})
        for meter in account.meters:
            if meter.limit.name in told and meter.rate is None:
                _fill(meter, told[meter.limit.name])
        for request, number in Counter(running.request for running in since).items():  # sessions of a flood ask for the same, mostly
            account.run(NOBODY, Running(1, since[-1].start, request), number)
        if any(meter.rate is not None for meter in account.meters):
            for running in since:
                account.started(running.start.timestamp())
        return account


def _fill(meter: Meter, told: Mapping[str, Any]) -> None:
    meter.reserved = Decimal(told.get("reserved", "0"))
    resets: datetime | None = moment(told.get("resetsAt"))
    if meter.spent is None or meter.limit.window is None or resets is None:
        return
    # All of it in the bucket that ends next: when more of it leaves the window, the status does not say.
    window, ends = meter.limit.window, resets.timestamp()
    at = ends - window.seconds - window.width / 2 if isinstance(window, Rolling) else ends - 1
    meter.spent.add(at, NOBODY, Decimal(told.get("spent", "0")))
