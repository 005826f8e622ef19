"""What is said to budgets, profiles and providers."""

from __future__ import annotations

from typing import Any

import pytest

from stint.admission.configuration import judge_budget, judge_profile, judge_provider
from unit.admission.kit import Cluster
from unit.budgets.kit import COST_10_DAILY, COST_10_HOUR, SYSTEM, Json

HOUR = {**COST_10_HOUR, "limit": "5"}


def budget(*limits: Json, namespace: str = SYSTEM, **spec: Any) -> Json:
    return {"metadata": {"name": "team", "namespace": namespace}, "spec": {"limits": list(limits), "reserve": {"cost": "1"}, **spec}}


def test_a_budget_that_makes_sense_is_let_in_without_a_word() -> None:
    answer = judge_budget(budget(COST_10_DAILY, HOUR), Cluster().world)
    assert (answer.refusal, answer.warnings) == ("", ())


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (budget({**COST_10_DAILY, "timeZone": "Mars/Olympus"}), "no such time zone: Mars/Olympus"),
        (budget({**COST_10_DAILY, "limit": "a lot"}), "spec.limits.day.limit: 'a lot' is no number"),
        (budget({**COST_10_DAILY, "resource": "beer"}), "spec.limits.0.resource"),
        ({"metadata": {}, "spec": {}}, "spec.limits: Field required"),
    ],
)
def test_a_budget_that_cannot_be_counted_is_refused(item: Json, says: str) -> None:
    answer = judge_budget(item, Cluster().world)
    assert says in answer.refusal
    assert answer.code == 422


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (budget(COST_10_DAILY, COST_10_HOUR), "limit hour (10) is never reached, because limit day allows no more than 10 in a longer time"),
        (budget(COST_10_DAILY, reserve={"cost": "1", "tokens": 10, "inputTokens": 20}), "reserve.inputTokens is more than reserve.tokens"),
        (budget(COST_10_DAILY, namespace="a", selector={"namespaces": {"matchLabels": {"tier": "gold"}}}), "this one counts nothing"),
    ],
)
def test_what_cannot_have_been_meant_is_said_and_let_in(item: Json, says: str) -> None:
    answer = judge_budget(item, Cluster().world)
    assert answer.refusal == ""
    (warning,) = answer.warnings
    assert says in warning
    assert warning.startswith("RateBudget team: ")


def test_a_budget_that_selects_its_own_namespace_counts_it() -> None:
    cluster = Cluster()
    cluster.namespace("a", tier="gold")
    item = budget(COST_10_DAILY, namespace="a", selector={"namespaces": {"matchLabels": {"tier": "gold"}}})
    assert judge_budget(item, cluster.world).warnings == ()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"limits": {"timeout": "soon"}}, "AgentProfile: not a duration: 'soon'"),
        ({"agent": 5}, "AgentProfile: spec.agent"),
        ({"agent": {"outputSchema": {"type": "objekt"}}}, "spec.agent.outputSchema is not a JSON schema"),
    ],
)
def test_a_profile_that_no_session_could_be_based_on_is_refused(spec: Json, says: str) -> None:
    answer = judge_profile({"metadata": {"name": "p", "namespace": "a"}, "spec": spec}, Cluster().world)
    assert says in answer.refusal
    assert answer.code == 422


def test_a_good_profile_and_a_good_provider_are_let_in() -> None:
    profile = {"metadata": {}, "spec": {"agent": {"outputSchema": {"type": "object"}}, "limits": {"cost": "1"}}}
    assert judge_profile(profile, Cluster().world).refusal == ""
    assert judge_profile({"metadata": {}, "spec": {}}, Cluster().world).refusal == ""
    assert judge_provider({"metadata": {}, "spec": {}}).refusal == ""


def test_a_provider_that_cannot_be_read_is_refused() -> None:
    answer = judge_provider({"metadata": {}, "spec": {"endpoint": 5}})
    assert "ModelProvider: spec.endpoint" in answer.refusal
    assert answer.code == 422
