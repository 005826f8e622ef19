"""Starting a session, decision by decision: what is created, and what is said and done until its agent runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.engine.plan import Plan
from stint.sessions.plan import PATIENCE, plan
from stint.settings import NetworkPolicySettings
from unit.sessions.builders import (
    NAME,
    NOW,
    SETTINGS,
    ago,
    ahead,
    attempt,
    condition,
    observed,
    pod,
    running_status,
    session,
    status,
)
from unit.sessions.kit import created, deleted, message, status_of, told
from unit.sessions.plan_kit import ALL, DONE

# Starting


def test_a_new_session_gets_policy_volume_and_pod_in_this_order_and_no_status() -> None:
    decided = plan(observed())
    assert created(decided) == ALL
    assert [one.shared for one in decided.create] == [True, False, False]
    assert decided.status is None
    assert decided.events == ()
    assert decided.look_again == ahead(300)


def test_a_policy_that_is_in_place_is_not_written_again() -> None:
    policy = plan(observed()).create[0].manifest["spec"]
    assert created(plan(observed(policy=policy))) == ALL[1:]


def test_a_policy_that_has_changed_is_written_again() -> None:
    policy = plan(observed()).create[0].manifest["spec"]
    assert created(plan(observed(policy={**policy, "egress": []}))) == ALL


def test_without_network_policies_none_is_created() -> None:
    settings = SETTINGS.model_copy(update={"network_policy": NetworkPolicySettings(enabled=False)})
    assert created(plan(observed(settings=settings))) == ALL[1:]


def test_an_ephemeral_session_gets_no_volume() -> None:
    assert created(plan(observed(session({"workspace": {"ephemeral": True}})))) == ["networkpolicies", "pods"]


def test_it_looks_again_when_the_pod_should_have_started() -> None:
    assert plan(observed(session({"limits": {"startTimeout": "90s"}}))).look_again == ahead(90)


def test_the_next_attempt_gets_the_next_pod() -> None:
    decided = plan(observed(session(status=status(history=[attempt(1, "Failed", "Overloaded"), attempt(2, "Disrupted", "Evicted")]))))
    assert decided.create[-1].manifest["metadata"]["name"] == f"{NAME}-3"


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(session(deletionTimestamp=stamp(NOW)), id="a new one"),
        pytest.param(session(status=running_status(1), deletionTimestamp=stamp(NOW)), id="one whose pod is gone"),
    ],
)
def test_nothing_is_done_for_a_session_that_is_being_deleted(item: Json) -> None:
    assert plan(observed(item)) == Plan()


def test_a_session_that_is_being_deleted_settles_no_pod() -> None:
    assert plan(observed(session(status=running_status(1), deletionTimestamp=stamp(NOW)), pods=[DONE])) == Plan()


# While the pod starts


def test_nothing_is_written_while_a_pod_starts_as_pods_do() -> None:
    assert plan(observed(pods=[pod(pod_status.starting(), created=ago(10))])) == Plan(look_again=ahead(290))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        pytest.param(pod_status.unschedulable("no node"), "Unschedulable", id="no node has room"),
        pytest.param(pod_status.starting("ImagePullBackOff", "no node"), "ImagePullBackOff", id="the image cannot be pulled"),
        pytest.param(pod_status.starting("ErrImagePull", "no node"), "ImagePullBackOff", id="the other name of the same problem"),
        pytest.param(pod_status.starting("CreateContainerConfigError", "no node", name="agent"), "CreateContainerConfigError", id="the agent's own"),
    ],
)
def test_what_keeps_a_pod_from_starting_is_named(state: Json, reason: str) -> None:
    decided = plan(observed(pods=[pod(state, created=ago(10))]))
    found = status_of(decided)
    assert found["waitingFor"] == {"kind": "Pod", "name": f"{NAME}-1", "reason": reason}
    assert told(found)["Ready"] == ("False", reason)
    assert message(found) == "no node"
    assert (found["attempt"], found["podName"], found["phase"]) == (1, f"{NAME}-1", "Pending")
    assert decided.look_again == ahead(290)


def test_a_problem_of_the_first_seconds_is_not_worth_a_word() -> None:
    young = pod(pod_status.unschedulable(), created=ago(3))
    assert plan(observed(pods=[young])) == Plan(look_again=ago(3) + PATIENCE)
    assert plan(replace(observed(pods=[young]), now=ago(3) + PATIENCE)).status is not None


def test_a_problem_that_was_told_is_not_written_again_when_its_words_change() -> None:
    state = pod_status.starting("ImagePullBackOff", "back-off 40s")
    first = status_of(plan(observed(pods=[pod(pod_status.starting("ErrImagePull", "no such image"))])))
    assert plan(observed(session(status=first), pods=[pod(state)])).status is None


def test_a_problem_that_is_over_is_not_told_any_longer() -> None:
    first = status_of(plan(observed(pods=[pod(pod_status.unschedulable())])))
    assert "waitingFor" in first
    found = status_of(plan(observed(session(status=first), pods=[pod(pod_status.starting())])))
    assert "waitingFor" not in found
    assert told(found)["Running"] == ("False", "PodPending")


def test_a_session_says_no_longer_what_it_waited_for_once_its_pod_is_created() -> None:
    waiting = {"kind": "ModelProvider", "name": "default", "reason": "ProviderNotFound"}
    before = status(waitingFor=waiting, phase="Waiting", conditions=[condition("Admitted", "False", "ProviderNotFound")])
    found = status_of(plan(observed(session(status=before), pods=[pod(pod_status.starting())])))
    assert "waitingFor" not in found
    assert told(found)["Admitted"] == ("True", "Admitted")


def test_a_pod_that_has_not_run_is_not_marked_as_one_that_has() -> None:
    before = running_status(1, history=[attempt(1, "Failed", "Overloaded")])
    found = status_of(plan(observed(session(status=before), pods=[pod(pod_status.unschedulable(), 2)])))
    assert "podUID" not in found
    assert found["attempt"] == 2


def test_a_pod_that_does_not_start_in_time_is_deleted_and_settled_only_when_it_has_ended() -> None:
    decided = plan(observed(pods=[pod(pod_status.starting(), created=ago(300))]))
    assert deleted(decided) == [("pods", f"{NAME}-1")]
    assert decided.status is None


def test_a_pod_may_use_the_last_second_of_its_start_timeout() -> None:
    decided = plan(observed(session({"limits": {"startTimeout": "2m"}}), pods=[pod(pod_status.starting(), created=ago(119))]))
    assert decided == Plan(look_again=ahead(1))


def test_a_pod_whose_session_cannot_be_read_any_more_has_five_minutes() -> None:
    broken = session()
    broken["spec"]["suspend"] = ["no"]
    seen = observed(broken, pods=[pod(pod_status.starting(), created=ago(299))])
    assert plan(seen).look_again == ahead(1)
    assert deleted(plan(replace(seen, now=ahead(1)))) == [("pods", f"{NAME}-1")]


def test_a_pod_without_a_creation_time_is_given_its_whole_start_timeout() -> None:
    item = pod(pod_status.starting())
    del item["metadata"]["creationTimestamp"]
    assert plan(observed(pods=[item])).look_again == ahead(300)
