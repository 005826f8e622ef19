"""The account of one pod, and its form in the journal and in the report.

Journal and report share these words; the journal keeps costs exact, the report rounds them up to a millionth of a dollar.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal, InvalidOperation
from typing import Any

import orjson

from stint.gateway.document import ConfigError
from stint.gateway.limit import Resource
from stint.gateway.output import Verdict
from stint.gateway.usage import Tally, Usage

VERSION = 1
MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Account:
    """Times are RFC 3339 in UTC."""

    pod: str
    attempt: int
    usage: Usage = field(default_factory=Usage)
    limit_reached: Resource | None = None
    first_request: str | None = None
    first_good_answer: str | None = None
    output: Verdict | None = None


def rounded(cost: Decimal) -> str:
    return str(cost.quantize(MICRO, ROUND_UP))


def exact(cost: Decimal) -> str:
    return format(cost, "f")


def tally_json(tally: Tally, cost: str) -> dict[str, Any]:
    return {
        "requests": tally.requests,
        "inputTokens": tally.input,
        "outputTokens": tally.output,
        "cacheReadTokens": tally.cache_read,
        "cacheWriteTokens": tally.cache_write,
        "cost": cost,
    }


def output_json(output: Verdict | None) -> dict[str, Any] | None:
    return None if output is None else {"sha256": output.sha256, "valid": output.valid, "error": output.error}


def to_line(account: Account) -> bytes:
    """The account as a line of the journal."""
    usage = account.usage
    document = {
        "version": VERSION,
        "pod": account.pod,
        "attempt": account.attempt,
        "usage": tally_json(usage.total, exact(usage.total.cost))
        | {"estimated": usage.estimated, "byModel": {name: tally_json(tally, exact(tally.cost)) for name, tally in usage.by_model.items()}},
        "limitReached": account.limit_reached,
        "firstRequest": account.first_request,
        "firstGoodAnswer": account.first_good_answer,
        "output": output_json(account.output),
    }
    return orjson.dumps(document) + b"\n"


def from_line(line: bytes) -> Account | None:
    """The account in a line, None for a torn one. Raises ConfigError for a whole line of another version."""
    try:
        document = orjson.loads(line)
        version = document["version"]
        if version == VERSION:
            return _account(document)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, InvalidOperation):
        return None
    raise ConfigError(f"the usage journal has version {version!r}; this gateway reads version {VERSION}")


def _account(document: dict[str, Any]) -> Account:
    usage, output = document["usage"], document["output"]
    return Account(
        pod=document["pod"],
        attempt=document["attempt"],
        usage=Usage(
            total=_tally(usage),
            estimated=usage["estimated"],
            by_model={name: _tally(tally) for name, tally in usage["byModel"].items()},
        ),
        limit_reached=document["limitReached"],
        first_request=document["firstRequest"],
        first_good_answer=document["firstGoodAnswer"],
        output=output and Verdict(output["sha256"], output["valid"], output["error"]),
    )


def _tally(document: dict[str, Any]) -> Tally:
    return Tally(
        requests=document["requests"],
        input=document["inputTokens"],
        output=document["outputTokens"],
        cache_read=document["cacheReadTokens"],
        cache_write=document["cacheWriteTokens"],
        cost=Decimal(document["cost"]),
    )
