"""The NetworkPolicies that are in place."""

from __future__ import annotations

from simulation.pod_status import Json
from stint.sessions.policy_store import PolicyStore

SPEC: Json = {"podSelector": {}}
OTHER: Json = {"podSelector": {"matchLabels": {"a": "b"}}}


def policy(version: int = 1, *, uid: str = "u", name: str = "agents", spec: Json | None = None) -> Json:
    return {"metadata": {"namespace": "team-a", "name": name, "uid": uid, "resourceVersion": str(version)}, "spec": spec or SPEC}


def test_a_policy_that_nobody_made_is_not_in_place() -> None:
    assert PolicyStore().spec("team-a", "agents") is None


def test_a_policy_is_in_place_once_it_was_seen() -> None:
    store = PolicyStore()
    store.take(policy())
    assert store.spec("team-a", "agents") == SPEC
    assert store.spec("team-b", "agents") is None


def test_the_newest_version_counts() -> None:
    store = PolicyStore()
    store.take(policy(2, spec=OTHER))
    store.take(policy(1))
    store.take(policy(2))
    assert store.spec("team-a", "agents") == OTHER
    store.take(policy(3))
    assert store.spec("team-a", "agents") == SPEC


def test_a_policy_that_was_removed_is_not_in_place_any_more() -> None:
    store = PolicyStore()
    store.take(policy())
    store.take(policy(2), gone=True)
    assert store.spec("team-a", "agents") is None
    store.take(policy(2), gone=True)


def test_a_policy_that_was_made_again_outlives_the_news_of_the_first_ones_end() -> None:
    store = PolicyStore()
    store.take(policy(1, uid="first"))
    store.take(policy(5, uid="second", spec=OTHER))
    store.take(policy(3, uid="first"), gone=True)
    assert store.spec("team-a", "agents") == OTHER


def test_what_a_list_does_not_hold_is_gone_unless_it_is_newer() -> None:
    store = PolicyStore()
    store.take(policy(1, uid="a", name="one"))
    store.take(policy(2, uid="b", name="two"))
    store.take(policy(9, uid="c", name="three"))
    store.listed({"b"}, 5)
    assert [store.spec("team-a", name) for name in ("one", "two", "three")] == [None, SPEC, SPEC]
