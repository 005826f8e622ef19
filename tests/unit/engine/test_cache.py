"""What the caches hold after news in every order."""

from __future__ import annotations

import pytest

from stint.engine.cache import REMEMBERED, ObjectCache
from unit.engine.kit import key, thing


@pytest.fixture
def cache() -> ObjectCache:
    """Holds ``fix`` at version 5."""
    cache = ObjectCache("AgentSession")
    assert cache.put(thing(version=5, status={"phase": "held"}))
    return cache


@pytest.mark.parametrize("version", [4, 5])
def test_a_version_that_is_not_newer_is_dropped(cache: ObjectCache, version: int) -> None:
    assert not cache.put(thing(version=version, status={"phase": "late"}))
    assert (cache.get("team-a", "fix") or {})["status"] == {"phase": "held"}


def test_versions_are_compared_as_numbers(cache: ObjectCache) -> None:
    assert cache.put(thing(version=10, status={"phase": "newer"}))
    assert (cache.get("team-a", "fix") or {})["status"] == {"phase": "newer"}
    assert len(cache) == 1


def test_objects_are_told_apart_by_namespace_and_name(cache: ObjectCache) -> None:
    cache.put(thing(namespace="team-b", version=1, uid="u-b"))
    cache.put(thing(name="other", version=1, uid="u-o"))
    assert len(cache) == 3
    assert (cache.get("team-b", "fix") or {})["metadata"]["uid"] == "u-b"
    assert cache.get("team-b", "other") is None


def test_what_is_handed_out_is_a_copy(cache: ObjectCache) -> None:
    first = cache.get("team-a", "fix")
    assert first is not None
    first["status"]["phase"] = "scribbled"
    assert (cache.get("team-a", "fix") or {})["status"] == {"phase": "held"}


def test_managed_fields_are_not_kept_and_the_given_object_stays_whole() -> None:
    cache, item = ObjectCache("AgentSession"), thing()
    item["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    cache.put(item)
    assert "managedFields" not in (cache.get("team-a", "fix") or {})["metadata"]
    assert "managedFields" in item["metadata"]


def test_held_versions_are_equal_only_if_they_are_the_same_version(cache: ObjectCache) -> None:
    before = cache.held("team-a", "fix")
    assert before is not None
    assert before == cache.held("team-a", "fix")
    assert (before.version, before.uid, before.namespace) == (5, "u-1", "team-a")
    cache.put(thing(version=6, status={"phase": "held"}))
    assert before != cache.held("team-a", "fix")
    assert cache.held("team-a", "nobody") is None


@pytest.mark.parametrize("version", [5, 6])
def test_a_disappearance_takes_the_object_out(cache: ObjectCache, version: int) -> None:
    cache.drop(thing(version=version))
    assert cache.get("team-a", "fix") is None
    assert len(cache) == 0


def test_a_late_disappearance_leaves_a_newer_object_of_the_same_name(cache: ObjectCache) -> None:
    cache.drop(thing(version=4, uid="u-0"))
    assert cache.holds("team-a", "fix", "u-1")


def test_an_answer_that_comes_after_the_disappearance_does_not_bring_the_object_back(cache: ObjectCache) -> None:
    cache.drop(thing(version=6))
    assert not cache.put(thing(version=7))
    assert cache.put(thing(version=8, uid="u-2"))
    cache.drop(thing(version=9, uid="u-2"))
    assert len(cache) == 0


def test_nor_one_that_comes_after_a_list_did_not_hold_the_object_any_more(cache: ObjectCache) -> None:
    [(gone, uid)] = cache.missing(set(), 6)
    cache.discard(gone, uid)
    assert not cache.put(thing(version=7))
    assert cache.missing(set(), 8) == []
    assert cache.put(thing(version=9, uid="u-2"))


def test_so_many_disappearances_are_remembered_and_no_more(cache: ObjectCache) -> None:
    for number in range(REMEMBERED + 1):
        cache.drop(thing(version=number, uid=f"gone-{number}"))
    assert not cache.put(thing(name="late", version=9, uid=f"gone-{REMEMBERED}"))
    assert cache.put(thing(name="late", version=9, uid="gone-0"))


def test_dropping_what_is_not_there_does_nothing(cache: ObjectCache) -> None:
    cache.drop(thing(name="nobody", version=9))
    assert len(cache) == 1


def test_holds_means_this_very_uid(cache: ObjectCache) -> None:
    assert cache.holds("team-a", "fix", "u-1")
    assert not cache.holds("team-a", "fix", "u-2")
    assert not cache.holds("team-a", "nobody", "u-1")


def test_current_means_this_very_version(cache: ObjectCache) -> None:
    assert cache.is_current(thing(version=5))
    assert not cache.is_current(thing(version=4))
    assert not cache.is_current(thing(version=6))
    assert not cache.is_current(thing(name="nobody", version=5))


def test_discarding_spares_another_object_of_the_same_name(cache: ObjectCache) -> None:
    cache.discard(key("fix"), "u-0")
    assert len(cache) == 1
    cache.discard(key("fix"), "u-1")
    assert len(cache) == 0


def test_missing_from_a_list_is_what_is_not_newer_than_it_and_not_in_it(cache: ObjectCache) -> None:
    cache.put(thing(name="listed", version=3, uid="u-2"))
    cache.put(thing(name="newer", version=8, uid="u-3"))
    cache.put(thing(name="same", version=7, uid="u-4"))
    assert cache.missing({"u-2"}, 7) == [(key("fix"), "u-1"), (key("same"), "u-4")]


def test_what_is_kept_at_hand_follows_the_object() -> None:
    cache = ObjectCache("AgentSession", lambda item: item.get("status", {}).get("phase", ""))
    cache.put(thing("a", 1, "u-a"))
    cache.put(thing("b", 1, "u-b", status={"phase": "Waiting"}))
    assert sorted(cache.briefs()) == ["", "Waiting"]
    cache.put(thing("b", 2, "u-b", status={"phase": "Running"}))
    cache.put(thing("b", 1, "u-b", status={"phase": "Waiting"}))
    cache.drop(thing("a", 1, "u-a"))
    assert list(cache.briefs()) == ["Running"]
