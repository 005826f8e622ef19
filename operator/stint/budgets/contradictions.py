"""What in a budget cannot have been meant, although every field by itself is right. Said as a warning: such a budget does no harm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stint.budgets.amounts import PAID, plain
from stint.budgets.budget import Budget, Limit
from stint.budgets.selection import matches_labels


def contradictions(budget: Budget, namespace_labels: Mapping[str, str], system_namespace: str) -> Iterator[str]:
    """Sentences that say what is odd and what to do about it."""
    yield from _never_reached(budget)
    tokens = budget.reserve[PAID["tokens"]]
    for resource in ("inputTokens", "outputTokens"):
        part = budget.reserve[PAID[resource]]
        if tokens is not None and part is not None and part > tokens:
            yield f"reserve.{resource} is more than reserve.tokens, of which it is a part: {plain(tokens)} is set aside; lower reserve.{resource}"
    outside = budget.key.namespace != system_namespace
    if outside and not matches_labels(budget.selector.namespaces, namespace_labels):
        yield (
            f"selector.namespaces does not match namespace {budget.key.namespace}, and a budget outside of {system_namespace} counts its own "
            "namespace only: this one counts nothing; take selector.namespaces out, or move the budget"
        )


def _never_reached(budget: Budget) -> Iterator[str]:
    """A limit for a shorter time that is no less than one for a longer time. Rates are left out: a burst is something else."""
    for short in budget.limits:
        for long in budget.limits:
            if short.resource == long.resource and not short.burst and _span(short) < _span(long) and short.amount >= long.amount:
                yield (
                    f"limit {short.name} ({plain(short.amount)}) is never reached, because limit {long.name} allows no more than "
                    f"{plain(long.amount)} in a longer time: lower {short.name}, or take it out"
                )


def _span(limit: Limit) -> float:
    """Seconds; a limit without a window is for the moment."""
    return 0.0 if limit.window is None else limit.window.span
