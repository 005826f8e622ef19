"""Adding up what attempts used, each exactly once.

::

    report read                 → its figures
    report of a pod that is gone → the whole reservation (what the limits left), marked estimated
    … until a later attempt on the same volume reads the journal → the real figures replace the estimate
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from stint.api.status import HISTORY, MODELS
from stint.sessions.evidence import has_run
from stint.sessions.pod_facts import PodFacts
from stint.sessions.reports import COUNTS, Report, Usage, read_usage
from stint.sessions.resolve import Resolved

Status = dict[str, Any]


def used(status: Mapping[str, Any]) -> Usage:
    """What the session has used so far, estimates included."""
    return read_usage(dict(status.get("usage") or {}))


def known(status: Mapping[str, Any]) -> Usage:
    """The same without the estimates that the journal of a volume will replace."""
    total = used(status)
    for attempt in status.get("history") or ():
        if attempt.get("estimated"):
            total = minus(total, read_usage(attempt))
    return total


def remaining(resolved: Resolved, usage: Usage) -> tuple[Decimal, int | None]:
    """What the session's limits leave: USD and tokens (None: no limit)."""
    tokens = None if resolved.token_limit is None else max(0, resolved.token_limit - usage.tokens)
    return max(Decimal(0), resolved.cost_limit - usage.cost), tokens


def reservation(status: Mapping[str, Any], pod: PodFacts, terms: Resolved | None) -> Usage:
    """The most that an attempt can have used whose report is lost: what its pod was given, else what the limits leave.

    With a volume, the gateway has counted what lost pods before it had used, so their estimates are part of what this pod was given.
    """
    given = orjson.loads(pod.reserved) if pod.reserved else status.get("reserved")
    if given:
        before = Usage() if terms is not None and terms.ephemeral else minus(used(status), known(status))
        cost = max(Decimal(0), Decimal(given["cost"]) - before.cost)
        tokens = max(0, given["tokens"] - before.tokens) if given.get("tokens") is not None else None
    elif terms is not None:
        cost, tokens = remaining(terms, used(status))
    else:
        cost, tokens = Decimal(0), None
    return Usage(cost=cost, inputTokens=tokens or 0, estimated=True)


def attempt_usage(report: Report | None, pod: PodFacts, status: Mapping[str, Any], terms: Resolved | None) -> Usage:
    """What this attempt is charged. Only an agent that never ran is free."""
    if report is not None:
        return report.usage
    return reservation(status, pod, terms) if has_run(pod, status) else Usage()


def charge(status: Status, usage: Usage, report: Report | None, turns: int) -> None:
    """Add one attempt to the session's total (``status`` is changed in place)."""
    old = dict(status.get("usage") or {})
    total = plus(used(status), usage)
    models = {item["model"]: read_usage(item) for item in old.get("byModel") or ()}
    for name, one in (report.by_model if report else {}).items():
        models[name] = plus(models.get(name, Usage()), one)
    dearest = sorted(models.items(), key=lambda item: item[1].cost, reverse=True)[:MODELS]
    status["usage"] = {
        **write_usage(total),
        "turns": old.get("turns", 0) + turns,
        "byModel": [{"model": name, **write_counts(one)} for name, one in dearest],
    }


def correct(status: Status, report: Report | None) -> None:
    """Replace estimates by what the journal knows of earlier pods, and add pods that nobody saw end (in place)."""
    if report is None or not report.previous:
        return
    history = [dict(attempt) for attempt in status.get("history") or ()]
    oldest = history[0]["attempt"] if history else 0
    counted = {attempt.get("podUID") for attempt in history} | set(status.get("journaledPods") or ())
    total, unseen = used(status), []
    for attempt in history:
        entry = report.previous.get(attempt.get("podUID", ""))
        if entry is not None and (attempt.get("estimated") or entry[1].cost > read_usage(attempt).cost):
            total = plus(minus(total, read_usage(attempt)), entry[1])
            attempt.update(write_counts(entry[1]), estimated=entry[1].estimated)
    for uid, (number, usage) in report.previous.items():
        if uid not in counted and (number > oldest or len(history) < HISTORY) and usage.requests:
            total = plus(total, usage)
            unseen.append(uid)
    status["history"] = history
    if unseen:
        status["journaledPods"] = [*(status.get("journaledPods") or ()), *unseen][-HISTORY:]
    estimated = any(attempt.get("estimated") for attempt in history) or (total.estimated and oldest > 1)  # one that left the history stays
    status["usage"] = {**(status.get("usage") or {}), **write_usage(replace(total, estimated=estimated))}


def plus(one: Usage, other: Usage) -> Usage:
    counts = {name: getattr(one, name) + getattr(other, name) for name in COUNTS}
    return Usage(**counts, cost=one.cost + other.cost, estimated=one.estimated or other.estimated)


def minus(one: Usage, other: Usage) -> Usage:
    counts = {name: max(0, getattr(one, name) - getattr(other, name)) for name in COUNTS}
    return Usage(**counts, cost=max(Decimal(0), one.cost - other.cost), estimated=one.estimated)


def write_counts(usage: Usage) -> dict[str, Any]:
    """Counts and cost as the status writes them."""
    return {**{name: getattr(usage, name) for name in COUNTS}, "cost": money(usage.cost)}


def write_usage(usage: Usage) -> dict[str, Any]:
    return {**write_counts(usage), "estimated": usage.estimated}


def money(amount: Decimal) -> str:
    """USD without an exponent and without needless zeros: ``0.0331``."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
