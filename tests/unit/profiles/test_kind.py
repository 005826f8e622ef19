"""Looking up an AgentProfile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from stint.engine.cache import ObjectCache
from stint.engine.keys import Key
from stint.profiles.kind import PROFILES, Profiles
from unit.engine.kit import thing

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
KEY = Key("AgentProfile", "team-a", "coder")


def profile(**fields: Any) -> dict[str, Any]:
    item = thing("coder", 7, "f-1", apiVersion="stint.dev/v1alpha1", kind="AgentProfile", **({"spec": {"description": "codes"}} | fields))
    item["metadata"]["generation"] = 4
    return item


@pytest.fixture
def cache() -> ObjectCache:
    return ObjectCache("AgentProfile")


async def ready(cache: ObjectCache) -> tuple[str, str]:
    look = await Profiles(cache).look(KEY, NOW, None)
    assert look is not None
    assert look.plan.status is not None
    [condition] = [one for one in look.plan.status["conditions"] if one["type"] == "Ready"]
    return condition["reason"], condition["message"]


async def test_a_profile_is_looked_at_as_the_cache_holds_it(cache: ObjectCache) -> None:
    cache.put(profile())
    look = await Profiles(cache).look(KEY, NOW, None)
    assert look is not None
    assert (look.target.resource, look.target.kind, look.target.api_version) == (PROFILES, "AgentProfile", "stint.dev/v1alpha1")
    assert look.target.meta["uid"] == "f-1"
    assert look.plan.status is not None
    assert look.plan.status["observedGeneration"] == 4
    assert await ready(cache) == ("Usable", "")


async def test_a_profile_that_the_models_cannot_read_is_invalid(cache: ObjectCache) -> None:
    cache.put(profile(spec={"agent": {"model": 7}}))
    reason, message = await ready(cache)
    assert reason == "InvalidSpec"
    assert message.startswith("spec.agent.model: ")


async def test_a_profile_without_spec_is_invalid_too(cache: ObjectCache) -> None:
    cache.put(profile(spec=None))
    assert (await ready(cache))[0] == "InvalidSpec"


async def test_there_is_nothing_to_do_for_what_is_not_there_or_is_being_deleted(cache: ObjectCache) -> None:
    assert await Profiles(cache).look(KEY, NOW, None) is None
    ending = profile()
    ending["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    cache.put(ending)
    assert await Profiles(cache).look(KEY, NOW, None) is None


async def test_a_vanished_profile_is_forgotten_but_not_its_successor(cache: ObjectCache) -> None:
    cache.put(profile())
    Profiles(cache).vanished(KEY, "f-0")
    assert len(cache) == 1
    Profiles(cache).vanished(KEY, "f-1")
    assert len(cache) == 0
