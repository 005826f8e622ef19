"""``gateway.json``: what the sidecar may let through (docs/reference/pod-contract.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from stint.api.provider import ModelPrice
from stint.budgets.amounts import NOTHING, write_amounts
from stint.sessions.observed import Observed
from stint.sessions.usage import known, money, remaining, used


def gateway_config(seen: Observed, attempt: int) -> str:
    """The JSON text of the annotation ``stint.dev/gateway``.

    With a volume, estimates of lost attempts are left out of the limit and named in ``unsettled``: the gateway takes their real figures from the
    journal that it finds there.
    """
    assert seen.resolved is not None
    assert seen.provider is not None
    spec = seen.provider.spec
    estimated = [attempt["podUID"] for attempt in seen.status.get("history") or () if attempt.get("estimated") and attempt.get("podUID")]
    document = {
        "version": 1,
        "session": {"namespace": seen.namespace, "name": seen.name, "uid": seen.uid},
        "attempt": attempt,
        "provider": {"name": seen.provider.name, "baseURL": spec.endpoint.base_url, "auth": spec.credential.type},
        "prices": {price.model: _price(price) for price in spec.prices},
        "unknownModels": spec.unknown_models,
        "limits": _limits(seen),
        "unsettled": [] if seen.resolved.ephemeral else estimated,
        "outputSchema": seen.resolved.agent.output_schema,
    }
    return orjson.dumps(document).decode()


def _price(price: ModelPrice) -> dict[str, str]:
    return {
        "input": price.input,
        "output": price.output,
        "cacheRead": price.cache_read,
        "cacheWrite5m": price.cache_write_5m,
        "cacheWrite1h": price.cache_write_1h,
    }


def reserved(seen: Observed) -> str:
    """The JSON text of the annotation ``stint.dev/reserved``: the most that the attempt may use, and whether that is less than its own limits
    leave, because budgets have reserved less."""
    limits = _limits(seen)
    lowered = seen.admission is not None and limits != _limits(replace(seen, admission=None))
    return orjson.dumps({**limits, "lowered": True} if lowered else limits).decode()


def _limits(seen: Observed) -> dict[str, Any]:
    """What the session's limits leave, and no more than what its budgets have reserved."""
    assert seen.resolved is not None
    cost, tokens = remaining(seen.resolved, used(seen.status) if seen.resolved.ephemeral else known(seen.status))
    request = seen.admission.request if seen.admission else NOTHING
    if request.cost is not None:
        cost = min(cost, request.cost)
    if request.tokens is not None:
        tokens = int(request.tokens) if tokens is None else min(tokens, int(request.tokens))
    return {**write_amounts(request), "cost": money(cost), "tokens": tokens}
