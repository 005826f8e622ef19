"""What informers tell a replica, and what it keeps of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stint.admission.known import Budgets, Copy, labels_of
from stint.admission.recent import Recent
from stint.budgets.amounts import NOTHING
from stint.budgets.budget import BudgetKey
from unit.admission.kit import Cluster, account, limit
from unit.budgets.kit import CONCURRENCY_1, COST_10_DAILY, NOW, SYSTEM, Json

TEAM = (BudgetKey(SYSTEM, "team"), ())


def namespace(name: str, version: int = 1, **labels: str) -> Json:
    return {"metadata": {"name": name, "uid": f"u-{name}", "resourceVersion": str(version), "labels": labels}}


def names(cluster: Cluster, *namespaces: str) -> list[str]:
    return [str(each.budget.key) for each in cluster.world.budgets.of(*namespaces)]


def test_an_object_is_kept_until_it_is_gone() -> None:
    copy = Copy(labels_of)
    copy.take(namespace("a", tier="gold"))
    assert copy.get("", "a") == {"tier": "gold"}
    copy.take(namespace("a"), gone=True)
    assert copy.get("", "a") is None
    copy.take(namespace("a"), gone=True)


def test_a_list_takes_away_what_it_does_not_hold_but_nothing_newer() -> None:
    copy = Copy(labels_of)
    for name, version in (("old", 5), ("held", 5), ("new", 20)):
        copy.take(namespace(name, version))
    copy.listed({"u-held"}, 10)
    assert [("", name) in copy for name in ("old", "held", "new")] == [False, True, True]


def test_what_cannot_be_read_is_there_but_empty(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: Json) -> Any:
        raise ValueError("odd")

    copy = Copy(refuse)
    copy.take(namespace("a"))
    assert ("", "a") in copy
    assert copy.get("", "a") is None
    assert "cannot be read: odd" in caplog.text


def test_budgets_are_found_by_namespace_and_each_once() -> None:
    cluster = Cluster()
    cluster.budget(COST_10_DAILY)
    cluster.budget(COST_10_DAILY, name="own", namespace="a")
    assert names(cluster, SYSTEM, "a") == [f"{SYSTEM}/team", "a/own"]
    assert names(cluster, SYSTEM, SYSTEM) == [f"{SYSTEM}/team"]
    cluster.world.budgets.listed({"a-own"}, 1000)
    assert names(cluster, SYSTEM, "a") == ["a/own"]
    cluster.world.budgets.take({"metadata": {"namespace": "a", "name": "own"}}, gone=True)
    assert names(cluster, "a") == []


def test_a_budget_that_cannot_be_read_leaves_the_version_before_it(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster()
    cluster.budget(COST_10_DAILY)
    cluster.budget({"name": "x", "resource": "beer", "limit": "1"}, generation=2)
    (standing,) = cluster.world.budgets.of(SYSTEM)
    assert standing.budget.limits[0].name == "day"
    assert "RateBudget stint-system/team cannot be read" in caplog.text


def test_an_edited_budget_is_read_anew_and_one_whose_status_changes_is_not() -> None:
    cluster = Cluster()
    cluster.budget(COST_10_DAILY)
    (before,) = cluster.world.budgets.of(SYSTEM)
    cluster.budget(CONCURRENCY_1, status=account("shared"))  # of the same generation: the spec cannot have changed
    (after_status,) = cluster.world.budgets.of(SYSTEM)
    assert after_status.budget is before.budget
    cluster.budget(CONCURRENCY_1, generation=2)
    (edited,) = cluster.world.budgets.of(SYSTEM)
    assert edited.budget.limits[0].name == "busy"


def test_a_budget_created_again_under_its_name_is_another() -> None:
    recent = Recent()
    budgets = Budgets(recent, lambda: NOW)
    for uid, limits in (("u1", COST_10_DAILY), ("u2", CONCURRENCY_1)):
        meta = {"namespace": SYSTEM, "name": "team", "uid": uid, "resourceVersion": "1", "generation": 1}
        budgets.take({"metadata": meta, "spec": {"limits": [limits], "reserve": {"cost": "1"}}})
    (standing,) = budgets.of(SYSTEM)
    assert standing.budget.limits[0].name == "busy"


def test_groups_that_shared_budgets_name_matter_most_and_those_of_other_namespaces_not_at_all() -> None:
    cluster = Cluster()
    cluster.budget(COST_10_DAILY, selector={"groups": ["developers", "oidc:*"]})
    cluster.budget(COST_10_DAILY, name="own", namespace="a", selector={"groups": ["a*"]})
    cluster.budget(COST_10_DAILY, name="own", namespace="b", selector={"groups": ["*"]})
    rank = cluster.world.budgets.group_rank(SYSTEM, "a")
    assert [rank(group) for group in ("developers", "oidc:x", "aaa", "zzz")] == [0, 1, 2, 3]


# What was let in


def test_only_new_figures_are_a_publication() -> None:
    cluster = Cluster()
    told = account("shared", limit("day", "1"))
    cluster.budget(COST_10_DAILY, status=told)
    cluster.world.recent.note("a/fix", [TEAM], NOTHING, NOW)
    cluster.now += timedelta(seconds=1)
    cluster.budget(COST_10_DAILY, status={**told, "waiting": 7})
    assert len(cluster.world.recent.of(TEAM, cluster.now)) == 1
    cluster.budget(COST_10_DAILY, status=account("shared", limit("day", "2")))
    assert cluster.world.recent.of(TEAM, cluster.now) == []


def test_what_was_let_in_a_moment_before_a_publication_is_not_in_it() -> None:
    recent = Recent()
    recent.note("a/fix", [TEAM], NOTHING, NOW)
    recent.published(TEAM[0], NOW + timedelta(milliseconds=100))
    assert len(recent.of(TEAM, NOW)) == 1
    recent.published(TEAM[0], NOW + timedelta(milliseconds=400))
    assert recent.of(TEAM, NOW) == []


def test_a_publication_of_a_budget_that_nobody_was_let_into_changes_nothing() -> None:
    recent = Recent()
    recent.published(TEAM[0], NOW)
    assert recent.of(TEAM, NOW) == []
