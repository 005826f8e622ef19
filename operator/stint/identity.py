"""Who created an object, as the admission webhook has written it down.

Annotations, because they hold any user name (``system:serviceaccount:team-a:ci``, ``CN=Alice,OU=search``), which a label's value does not. Groups
stand one to a line: a comma may be part of a name, a line break never is. There may be any number of groups, so the annotation is bounded; which ones
are kept, `kept_groups` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CREATED_BY = "stint.dev/created-by"
CREATED_BY_GROUPS = "stint.dev/created-by-groups"
MOST_GROUPS = 64
MOST_CHARACTERS = 8192


@dataclass(frozen=True, slots=True)
class Creator:
    """A user of the cluster, as the API server has authenticated them."""

    user: str
    groups: tuple[str, ...] = ()


def creator_of(annotations: Mapping[str, str]) -> Creator | None:
    """Who created the object; None where nobody has written it down."""
    user = annotations.get(CREATED_BY)
    if user is None:
        return None
    return Creator(user, tuple(group for group in annotations.get(CREATED_BY_GROUPS, "").split("\n") if group))


def stamps(creator: Creator) -> dict[str, str | None]:
    """The annotations of a new object; None takes away what the user has written there."""
    return {CREATED_BY: creator.user, CREATED_BY_GROUPS: "\n".join(creator.groups) or None}


def kept_stamps(old: Mapping[str, str]) -> dict[str, str | None]:
    """The annotations of an object that is changed: what they were, whatever the user has written there."""
    return {name: old.get(name) for name in (CREATED_BY, CREATED_BY_GROUPS)}


def kept_groups(groups: Iterable[str], ranking: Callable[[], Callable[[str], int]]) -> tuple[str, ...]:
    """As many groups as the annotation holds. Which matter most (the lower the rank, the more) is asked only if there is no room for all."""
    usable = sorted({group for group in groups if group and "\n" not in group})
    if len(usable) > MOST_GROUPS or sum(len(group) + 1 for group in usable) > MOST_CHARACTERS:
        usable.sort(key=ranking())
    found: list[str] = []
    room = MOST_CHARACTERS
    for group in usable[:MOST_GROUPS]:
        room -= len(group) + 1
        if room < 0:
            break
        found.append(group)
    return tuple(found)


def annotations_of(item: Mapping[str, Any]) -> dict[str, str]:
    """The annotations of an object as a request holds it."""
    return (item.get("metadata") or {}).get("annotations") or {}
