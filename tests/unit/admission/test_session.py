"""What is said to a session that is created."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stint.identity import CREATED_BY, CREATED_BY_GROUPS
from unit.admission.kit import Cluster, account, limit
from unit.budgets.kit import CONCURRENCY_1, COST_10_DAILY, NOW, RATE, STARTS, Json, after

RESET = after(3600 * 14)
FULL_DAY = account("shared", limit("day", "9", "1", resets=RESET))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


# What it refers to


def test_a_session_that_can_run_is_let_in_without_a_word(cluster: Cluster) -> None:
    answer = cluster.create().answer
    assert (answer.warnings, answer.refusal) == ((), "")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"profileRef": {"name": "late"}}, "there is no AgentProfile late in namespace a or stint-system"),
        ({"providerRef": {"name": "late"}}, "there is no ModelProvider late in namespace a or stint-system"),
    ],
)
def test_what_may_still_come_is_no_reason_to_refuse(cluster: Cluster, spec: Json, says: str) -> None:
    answer = cluster.create(spec).answer
    assert answer.refusal == ""
    assert [says in warning for warning in answer.warnings] == [True]


def test_an_object_of_the_sessions_own_namespace_wins_over_a_shared_one(cluster: Cluster) -> None:
    cluster.profile({"providerRef": {"name": "nowhere"}})
    cluster.profile({}, namespace="a")
    assert cluster.create({"profileRef": {"name": "bug-fixer"}}).answer.warnings == ()
    assert cluster.create({"profileRef": {"name": "bug-fixer"}}, namespace="b").answer.warnings != ()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"limits": {"cost": "1e3"}}, "not an amount of money: '1e3'"),
        ({"limits": {"timeout": "soon"}}, "not a duration: 'soon'"),
        ({"limits": {"tokens": "many"}}, "limits.tokens"),
        ({"priority": "high"}, "spec: priority"),
        ({"agent": {"outputSchema": {"type": "objekt"}}}, "spec.agent.outputSchema is not a JSON schema"),
    ],
)
@pytest.mark.parametrize("created", [True, False])
def test_what_nobody_could_run_is_refused_with_a_sentence(cluster: Cluster, spec: Json, says: str, created: bool) -> None:
    answer = cluster.create(spec, created=created).answer
    assert says in answer.refusal
    assert answer.code == 422


def test_a_spec_is_looked_at_also_when_its_profile_is_missing(cluster: Cluster) -> None:
    assert "not a duration" in cluster.create({"profileRef": {"name": "late"}, "limits": {"timeout": "soon"}}).answer.refusal


def test_an_unreadable_provider_is_the_controllers_to_tell_of(cluster: Cluster) -> None:
    cluster.provider({"endpoint": 5}, namespace="a")
    assert cluster.create().answer.refusal == ""


# Budgets


def test_a_budget_that_rejects_answers_429_with_budget_account_amount_and_reset(cluster: Cluster) -> None:
    cluster.budget(COST_10_DAILY, atLimit="Reject", status=FULL_DAY)
    answer = cluster.create().answer
    assert answer.code == 429
    assert answer.refusal == (
        "no room for AgentSession fix in budget stint-system/team, account shared, limit day: 0 of 10 USD left (9 spent, 1 reserved), 1 needed; "
        "there is room at 2026-11-22T00:00:00Z"
    )


def test_a_budget_with_a_queue_lets_in_and_says_that_it_waits(cluster: Cluster) -> None:
    cluster.budget(COST_10_DAILY, status=FULL_DAY)
    answer = cluster.create().answer
    assert answer.refusal == ""
    (warning,) = answer.warnings
    assert warning.startswith("AgentSession fix waits: budget stint-system/team, account shared, limit day: 0 of 10 USD left")


def test_a_budget_that_warns_does_so(cluster: Cluster) -> None:
    cluster.budget(COST_10_DAILY, atLimit="Warn", status=FULL_DAY)
    (warning,) = cluster.create().answer.warnings
    assert warning.startswith("AgentSession fix starts without room in budget stint-system/team")


@pytest.mark.parametrize(("at_limit", "refused"), [("Reject", True), ("Queue", False)])
def test_a_session_that_never_fits_is_told_so(cluster: Cluster, at_limit: str, refused: bool) -> None:
    cluster.budget(COST_10_DAILY, atLimit=at_limit)
    answer = cluster.create({"limits": {"cost": "11"}}).answer
    assert (answer.code == 422) == refused
    assert "more than the whole limit of 10" in (answer.refusal or answer.warnings[0])


def test_the_sessions_own_limit_is_what_it_asks_for(cluster: Cluster) -> None:
    cluster.budget(COST_10_DAILY, atLimit="Reject", status=account("shared", limit("day", "9", resets=RESET)))
    assert cluster.create({"limits": {"cost": "1"}}).answer.refusal == ""
    assert "2 needed" in cluster.create({"limits": {"cost": "2"}}).answer.refusal


@pytest.mark.parametrize("spec", [{"suspend": True}, {"cancel": True}])
def test_one_that_is_not_to_start_asks_no_budget(cluster: Cluster, spec: Json) -> None:
    cluster.budget(COST_10_DAILY, atLimit="Reject", status=FULL_DAY)
    assert cluster.create(spec).answer.refusal == ""


def test_a_change_asks_no_budget(cluster: Cluster) -> None:
    cluster.budget(COST_10_DAILY, atLimit="Reject", status=FULL_DAY)
    assert cluster.create(created=False).answer.refusal == ""


def test_a_budget_of_another_namespace_has_no_say(cluster: Cluster) -> None:
    cluster.budget(COST_10_DAILY, namespace="b", atLimit="Reject", status=FULL_DAY)
    assert cluster.create().answer.refusal == ""
    assert cluster.create(namespace="b").answer.refusal != ""


def test_labels_of_the_namespace_decide(cluster: Cluster) -> None:
    cluster.namespace("a", tier="free")
    cluster.budget(COST_10_DAILY, atLimit="Reject", status=FULL_DAY, selector={"namespaces": {"matchLabels": {"tier": "free"}}})
    assert cluster.create().answer.refusal != ""
    assert cluster.create(namespace="b").answer.refusal == ""


def test_users_and_groups_are_those_that_were_stamped(cluster: Cluster) -> None:
    full = account("User=alice", limit("day", "10", resets=RESET))
    cluster.budget(COST_10_DAILY, atLimit="Reject", status=full, per=["User"], selector={"groups": ["dev*"]})

    def refused(user: str, group: str) -> bool:
        return cluster.create(annotations={CREATED_BY: user, CREATED_BY_GROUPS: group}).answer.code == 429

    assert [refused("alice", "devs"), refused("bob", "devs"), refused("alice", "ops")] == [True, False, False]


# What was let in since


@pytest.mark.parametrize(
    ("limits", "fit"), [([CONCURRENCY_1], 1), ([COST_10_DAILY], 10), ([STARTS], 2), ([RATE], 1)], ids=["concurrency", "cost", "starts", "rate"]
)
def test_a_flood_within_a_second_finds_the_limit(cluster: Cluster, limits: list[Json], fit: int) -> None:
    cluster.budget(*limits, atLimit="Reject")
    codes = [cluster.let_in().answer.code for _ in range(fit + 3)]
    assert codes == [0] * fit + [429] * 3


def test_who_is_created_again_and_again_under_one_name_takes_room_once(cluster: Cluster) -> None:
    cluster.budget({**CONCURRENCY_1, "limit": "2"}, atLimit="Reject")
    codes = [cluster.let_in(name="there-already").answer.code for _ in range(3)]
    assert [*codes, cluster.let_in(name="another").answer.code] == [0, 0, 0, 0]
    assert cluster.let_in(name="third").answer.code == 429


def test_a_clock_that_goes_back_holds_nobody(cluster: Cluster) -> None:
    cluster.budget(CONCURRENCY_1, atLimit="Reject")
    cluster.let_in()
    cluster.now -= timedelta(hours=1)
    assert cluster.let_in().answer.code == 0


def test_accounts_that_nobody_asks_for_again_are_forgotten(cluster: Cluster) -> None:
    cluster.budget(CONCURRENCY_1, atLimit="Reject", per=["Label:run"])
    for number in range(50):
        cluster.let_in(labels={"run": str(number)})
    cluster.now += timedelta(seconds=11)
    cluster.let_in(labels={"run": "last"})
    assert [len(accounts) for accounts in cluster.world.recent._by_budget.values()] == [1]


def test_a_dry_run_takes_no_room(cluster: Cluster) -> None:
    cluster.budget(CONCURRENCY_1, atLimit="Reject")
    assert [cluster.create().answer.code for _ in range(3)] == [0, 0, 0]


def test_a_publication_takes_the_place_of_what_was_let_in_before_it(cluster: Cluster) -> None:
    cluster.budget(CONCURRENCY_1, atLimit="Reject")
    cluster.let_in()
    cluster.now += timedelta(seconds=1)
    cluster.budget(CONCURRENCY_1, atLimit="Reject", status=account("shared", limit("busy", reserved="1", most="1")))
    assert cluster.create().answer.code == 429
    cluster.budget(CONCURRENCY_1, atLimit="Reject", status=account("shared", limit("busy", reserved="0", most="1")))
    assert cluster.create().answer.code == 0


def test_what_never_starts_is_forgotten_after_a_while(cluster: Cluster) -> None:
    cluster.budget(CONCURRENCY_1, atLimit="Reject")
    cluster.let_in()
    cluster.now = NOW + timedelta(seconds=2.9)
    assert cluster.create().answer.code == 429
    cluster.now = NOW + timedelta(seconds=3.1)
    assert cluster.create().answer.code == 0


def test_who_is_refused_takes_no_room(cluster: Cluster) -> None:
    cluster.budget(COST_10_DAILY, atLimit="Reject")
    assert cluster.let_in({"limits": {"cost": "9.5"}}).answer.code == 0
    assert cluster.let_in().answer.code == 429
    assert cluster.let_in({"limits": {"cost": "0.5"}}).answer.code == 0


def test_who_waits_for_one_budget_takes_no_room_in_another(cluster: Cluster) -> None:
    cluster.budget({**CONCURRENCY_1, "limit": "2"}, name="busy", atLimit="Reject")
    cluster.budget(COST_10_DAILY, status=FULL_DAY)
    answers = [cluster.let_in().answer for _ in range(4)]
    assert [(answer.code, len(answer.warnings)) for answer in answers] == [(0, 1)] * 4


def test_accounts_are_apart(cluster: Cluster) -> None:
    cluster.budget(CONCURRENCY_1, atLimit="Reject", per=["Namespace"])
    made: list[Any] = [cluster.let_in(namespace=namespace).answer.code for namespace in ("a", "b", "a")]
    assert made == [0, 0, 429]


def test_a_name_that_the_api_server_will_make_up_is_told_as_far_as_it_is_known(cluster: Cluster) -> None:
    cluster.budget(COST_10_DAILY, atLimit="Reject", status=FULL_DAY)
    assert "AgentSession fix-…" in cluster.create(name="", generateName="fix-").answer.refusal
