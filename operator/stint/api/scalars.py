"""The strings and numbers of the API: their bounds, their form, and what a wrong one is answered with.

Durations, money and quantities stay the strings that the user wrote; `seconds()` and `usd()` read them where they are needed.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator

from stint.api.base import Rule, Schema

DNS_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LABEL_VALUE = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
DURATION = "^([0-9]{1,9}(\\.[0-9]{1,9})?(ms|s|m|h))+$"
MONEY = "^[0-9]{1,9}(\\.[0-9]{1,9})?$"
MODEL = "^[A-Za-z0-9][-A-Za-z0-9._:/@\\[\\]]*$"
QUANTITY = "^[0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$"

KIB = 1024


def _cel(pattern: str) -> str:
    return "'" + pattern.replace("\\", "\\\\") + "'"


def matching(pattern: str, message: str) -> Rule:
    """A rule that says in words what `pattern` says to machines."""
    return Rule(f"self.matches({_cel(pattern)})", message)


def never(pattern: str, message: str) -> Rule:
    """A rule that refuses whatever holds a match of `pattern`."""
    return Rule(f"!self.matches({_cel(pattern)})", message)


def at_most_bytes(limit: int, message: str) -> Rule:
    """`maxLength` counts characters; what a pod annotation can carry is counted in bytes."""
    return Rule(f"size(bytes(self)) <= {limit}", message)


def _duration(longest: str) -> Schema:
    sentence = f"write a duration like 90s, 10m or 1h30m, longer than 0s and at most {longest}"
    return _between(f"duration(self) > duration('0s') && duration(self) <= duration('{longest}')", sentence)


def _between(within: str, sentence: str) -> Schema:
    return Schema(Rule(f"self.matches({_cel(DURATION)}) && {within}", sentence), maxLength=32, minLength=2, pattern=DURATION)


Name = Annotated[str, Schema(maxLength=253, minLength=1, pattern=DNS_SUBDOMAIN)]
Label = Annotated[str, Schema(maxLength=63, minLength=1, pattern=DNS_LABEL)]
Key = Annotated[str, Schema(maxLength=253, minLength=1, pattern="^[-._a-zA-Z0-9]+$")]
LabelKey = Annotated[str, Schema(maxLength=317, minLength=1)]
LabelValue = Annotated[str, Schema(maxLength=63, pattern=LABEL_VALUE)]
Word = Annotated[str, Schema(maxLength=64)]
Text = Annotated[str, Schema(maxLength=1024)]
Message = Annotated[str, Schema(maxLength=32 * KIB)]

Duration = Annotated[str, _duration("720h")]
Minutes = Annotated[str, _duration("24h")]
Window = Annotated[
    str,
    _between(
        "duration(self) >= duration('10s') && duration(self) <= duration('720h')",
        "write a window like 10m or 24h, between 10s and 720h; for longer times there is calendar: Monthly",
    ),
]
Money = Annotated[
    str,
    Schema(
        Rule(f"self.matches({_cel(MONEY)}) && self.matches('[1-9]')", 'write an amount in USD greater than zero as a string, such as "2.50"'),
        maxLength=20,
        minLength=1,
        pattern=MONEY,
    ),
]
Price = Annotated[
    str,
    Schema(
        matching(MONEY, 'write a price in USD per million tokens as a string, such as "3.00" ("0" for free)'),
        maxLength=20,
        minLength=1,
        pattern=MONEY,
    ),
]
Amount = Annotated[str, Schema(maxLength=32, pattern="^[0-9]+(\\.[0-9]+)?$")]
ModelName = Annotated[
    str,
    Schema(
        matching(MODEL, "write the model's full id as the provider names it, such as claude-sonnet-4-5; no spaces, no leading dash"),
        maxLength=256,
        minLength=1,
        pattern=MODEL,
    ),
]
Identifier = Annotated[
    str,
    Schema(
        matching("^[A-Za-z0-9][-A-Za-z0-9_]*$", "write a name of letters, digits, - and _"),
        maxLength=63,
        minLength=1,
    ),
]
Quantity = Annotated[
    str,
    BeforeValidator(str),
    Schema(
        Rule("isQuantity(string(self))", "write a quantity such as 500m, 2 or 1Gi"),
        **{"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        maxLength=32,
        pattern=QUANTITY,
    ),
]
Count = Annotated[int, Schema(format="int64", minimum=0)]
Generation = Annotated[int, Schema(format="int64", minimum=0)]


def integer(least: int, most: int) -> Schema:
    """A whole number between two bounds, both included."""
    return Schema(minimum=least, maximum=most, format="int32" if least >= -(2**31) and most < 2**31 else "int64")


def plain_list(most: int, *rules: Rule, least: int | None = None) -> Schema:
    """A list in which order matters and items may repeat."""
    keywords: dict[str, Any] = {"maxItems": most, "x-kubernetes-list-type": "atomic"}
    return Schema(*rules, **keywords, **({"minItems": least} if least else {}))


def set_list(most: int, *rules: Rule) -> Schema:
    """A list without repeats."""
    return Schema(*rules, maxItems=most, **{"x-kubernetes-list-type": "set"})


def map_list(key: str, most: int, *rules: Rule) -> Schema:
    """A list of objects, each known by the field `key`: a second item of the same key is refused."""
    return Schema(*rules, maxItems=most, **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]})


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@lru_cache
def seconds(duration: str) -> float:
    """Seconds of a Go-style duration: `1h30m` is 5400. Raises ValueError for anything else."""
    if not re.fullmatch(DURATION[1:-1], duration):
        raise ValueError(f"not a duration: {duration!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(ms|s|m|h)", duration))


@lru_cache
def usd(amount: str) -> Decimal:
    """USD of a decimal string. Raises ValueError for anything else, exponents and NaN included."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", amount):
        raise ValueError(f"not an amount of money: {amount!r}")
    return Decimal(amount)
