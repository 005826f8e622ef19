"""Which sessions a budget counts, and in which of its accounts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stint.api.budget import LABEL_DIMENSION, MOST_TEXT, BudgetSelector
from stint.api.common import LabelSelector

UNKNOWN = "unknown"
"""The user of a session whose creator is not known; a value that an account lacks."""
SHARED = "shared"
"""Name of the one account of a budget that has no `per`."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What budgets look at in a session."""

    namespace: str
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str = UNKNOWN
    groups: tuple[str, ...] = ()
    service_account: str = "default"
    """Of the agent's pod."""
    provider: str = ""
    model: str = ""


def selects(selector: BudgetSelector, subject: Subject) -> bool:
    """Whether everything that the selector names matches; what it does not name does."""
    return (
        matches_labels(selector.namespaces, subject.namespace_labels)
        and matches_labels(selector.sessions, subject.labels)
        and (selector.users is None or any(matches_glob(glob, subject.user) for glob in selector.users))
        and (selector.groups is None or any(matches_glob(glob, group) for glob in selector.groups for group in subject.groups))
        and (selector.providers is None or subject.provider in selector.providers)
        and (selector.models is None or any(matches_glob(glob, subject.model) for glob in selector.models))
    )


def matches_labels(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """As Kubernetes has it: NotIn also matches where the label is missing."""
    if selector is None:
        return True
    if any(labels.get(key) != value for key, value in (selector.match_labels or {}).items()):
        return False
    for requirement in selector.match_expressions or ():
        there, among = requirement.key in labels, labels.get(requirement.key) in (requirement.values or ())
        holds = {"In": there and among, "NotIn": not (there and among), "Exists": there, "DoesNotExist": not there}
        if not holds[requirement.operator]:
            return False
    return True


def matches_glob(glob: str, text: str) -> bool:
    """Whether `text` fits, where * stands for any text. In linear time, whatever the pattern: names come from strangers."""
    first, *rest = glob.split("*")
    if not rest:
        return text == glob
    *middle, last = rest
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    place, end = len(first), len(text) - len(last)
    for piece in middle:
        place = text.find(piece, place, end)
        if place < 0:
            return False
        place += len(piece)
    return True


def account_key(per: Sequence[str], subject: Subject) -> tuple[str, ...]:
    """The values that name the session's account, one for each dimension of `per`."""
    return tuple(_value(dimension, subject) for dimension in per)


def account_name(per: Sequence[str], key: Sequence[str]) -> str:
    """The account for people: ``Namespace=team-a, User=alice``. One that is too long for the status ends in a hash."""
    name = ", ".join(f"{dimension}={value}" for dimension, value in zip(per, key, strict=True)) or SHARED
    if len(name) <= MOST_TEXT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: MOST_TEXT - len(digest) - 1]}…{digest}"


def _value(dimension: str, subject: Subject) -> str:
    match dimension:
        case "Namespace":
            return subject.namespace
        case "User":
            return subject.user
        case "ServiceAccount":
            return f"{subject.namespace}/{subject.service_account}"
        case "Provider":
            return subject.provider
        case _:
            return subject.labels.get(dimension.removeprefix(LABEL_DIMENSION), "")
