"""Is there room? ``spent + reserved + request ≤ limit`` for every limit of every account, and for a rate, that a start is due."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from stint.budgets.account import Account, Meter
from stint.budgets.amounts import Amounts
from stint.budgets.reasons import BUDGET_FULL, BUDGET_REJECTED, EXCEEDS_BUDGET
from stint.budgets.verdict import ADMITTED, Shortage, Verdict
from stint.budgets.windows import moment


def weigh(accounts: Sequence[Account], request: Amounts, now: datetime) -> Verdict:
    """The verdict on a request. What can never fit comes first, then what is rejected, then what waits; budgets that only warn keep nobody."""
    at = now.timestamp()
    short: list[Shortage] = []
    warnings: list[Shortage] = []
    for account in accounts:
        for meter in account.meters:
            need = meter.needs(request)
            if not meter.has_room(need, at):
                (warnings if account.budget.at_limit == "Warn" else short).append(_shortage(account, meter, request, at))
    outcome, decisive = _outcome(short)
    return Verdict(outcome, request, decisive, tuple(warnings))


def patient(verdict: Verdict) -> Verdict:
    """The verdict on a session that has begun already: what it did so far is not thrown away because a budget is full just now, it waits."""
    return replace(verdict, outcome=BUDGET_FULL) if verdict.outcome == BUDGET_REJECTED else verdict


def request_of(accounts: Iterable[Account], left: Amounts) -> Amounts:
    """What is set aside for an attempt: what the session's own limits leave (`left`; None where it names none), else the smallest reserve of the
    budgets that limit the resource."""
    found = list(left)
    for account in accounts:
        for place, reserve in enumerate(account.reserves):
            if reserve is not None and left[place] is None:
                known = found[place]
                found[place] = reserve if known is None else min(known, reserve)
    cost, tokens, inputs, outputs = found
    if tokens is not None:  # input and output are part of all tokens
        inputs = None if inputs is None else min(inputs, tokens)
        outputs = None if outputs is None else min(outputs, tokens)
    return Amounts(cost, tokens, inputs, outputs)


def _outcome(short: list[Shortage]) -> tuple[str, tuple[Shortage, ...]]:
    if not short:
        return ADMITTED, ()
    if exceeds := tuple(each for each in short if each.exceeds):
        return EXCEEDS_BUDGET, exceeds
    if rejected := tuple(each for each in short if each.at_limit == "Reject"):
        return BUDGET_REJECTED, rejected
    return BUDGET_FULL, tuple(short)


def _shortage(account: Account, meter: Meter, request: Amounts, at: float) -> Shortage:
    need = meter.needs(request)
    until = meter.room_at(need, at)
    return Shortage(
        budget=account.budget.key,
        at_limit=account.budget.at_limit,
        account=account.name,
        limit=meter.limit.name,
        resource=meter.limit.resource,
        amount=meter.limit.amount,
        spent=meter.spent_at(at),
        reserved=meter.reserved,
        need=need,
        until=moment(until) if until is not None else None,
        exceeds=meter.exceeded_by(need),
        spread=meter.rate is not None,
    )
