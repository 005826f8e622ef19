"""What happens to a finished session in time."""

from __future__ import annotations

from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json
from stint.engine.plan import Plan
from stint.sessions.expiry import expire, tracked
from stint.sessions.plan import plan
from unit.sessions.builders import NAME, UID, Gone, ahead, attempt, ended_pod, finished_status, observed, profile, session
from unit.sessions.kit import deleted, status_of, told

TTL: Json = {"ttlSecondsAfterFinished": 60}
ARGO: Json = {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}
POD = ended_pod(pod_status.result(), pod_status.report())
VOLUME = ("persistentvolumeclaims", f"{NAME}-{UID[:8]}")
OLD = finished_status(ended=3600)


def expired(spec: Json | None = None, before: Json | None = None, pods: tuple[Json | Gone, ...] = (POD,), **meta: Any) -> Plan:
    return expire(observed(session({**TTL, **(spec or {})}, status=before or OLD, **meta), pods=pods))


def test_without_a_time_to_live_nothing_ever_happens() -> None:
    decided = plan(observed(session(status=finished_status(ended=10**8)), pods=[POD]))
    assert (decided.delete, decided.look_again) == ((), None)


def test_before_its_time_nothing_is_deleted() -> None:
    decided = expired(before=finished_status(ended=59))
    assert (decided.delete, decided.look_again) == ((), ahead(1))


def test_at_its_time_the_session_is_deleted_and_its_pods_and_volume_with_it() -> None:
    decided = expired(before=finished_status(ended=60))
    assert deleted(decided) == [("agentsessions", NAME)]
    assert decided.delete[0].uid == UID
    assert (decided.status, decided.look_again) == (None, None)


def test_a_time_to_live_of_nothing_is_at_once() -> None:
    assert deleted(expired({"ttlSecondsAfterFinished": 0}, finished_status(ended=0))) == [("agentsessions", NAME)]


def test_a_session_that_a_gitops_tool_keeps_loses_volume_and_pods_only() -> None:
    decided = expired(**ARGO)
    assert deleted(decided) == [VOLUME, ("pods", f"{NAME}-1")]
    assert status_of(decided)["expired"] is True
    assert decided.delete_first, "a crash between the two must not leave a volume behind"


def test_what_has_expired_expires_once() -> None:
    decided = expired(before={**OLD, "expired": True}, **ARGO)
    assert (decided.delete, decided.look_again) == ((), None)


def test_the_volume_goes_even_when_the_pods_are_gone_already() -> None:
    assert deleted(expired(pods=(), **ARGO)) == [VOLUME]
    assert deleted(expired(pods=(Gone(POD),), **ARGO)) == [VOLUME]


def test_a_pod_that_is_being_deleted_is_not_deleted_again() -> None:
    assert deleted(expired(pods=(ended_pod(deleting=ahead(5)),), **ARGO)) == [VOLUME]


@pytest.mark.parametrize(
    "workspace", [pytest.param({"volume": {"retainPolicy": "Retain"}}, id="retained"), pytest.param({"ephemeral": True}, id="ephemeral")]
)
def test_a_volume_that_is_to_be_retained_or_never_was_is_left_alone(workspace: Json) -> None:
    assert deleted(expired({"workspace": workspace}, **ARGO)) == [("pods", f"{NAME}-1")]


def test_a_volume_that_is_to_be_deleted_says_so_itself() -> None:
    assert VOLUME in deleted(expired({"workspace": {"volume": {"retainPolicy": "Delete"}}}, **ARGO))


def test_the_profiles_volume_is_retained_too() -> None:
    item = session({**TTL, "profileRef": {"name": "bug-fixer"}}, status=OLD, **ARGO)
    seen = observed(item, profile=profile({"workspace": {"volume": {"retainPolicy": "Retain"}}}))
    assert deleted(expire(seen)) == []


def test_without_its_profile_nothing_is_deleted_or_marked_and_it_is_looked_at_again() -> None:
    decided = expired({"profileRef": {"name": "bug-fixer"}}, **ARGO)
    assert (decided.delete, decided.look_again) == ((), ahead(60))
    assert status_of(decided).keys() == OLD.keys()


def test_without_its_profile_a_session_that_nobody_creates_again_goes_all_the_same() -> None:
    assert deleted(expired({"profileRef": {"name": "bug-fixer"}})) == [("agentsessions", NAME)]


@pytest.mark.parametrize(
    ("workspace", "since"),
    [
        pytest.param({"volume": {"size": "1Gi"}}, 3, id="deleted"),
        pytest.param({"volume": {"retainPolicy": "Retain"}}, None, id="retained"),
        pytest.param({"ephemeral": True}, None, id="never was"),
    ],
)
def test_the_next_attempt_is_known_to_have_a_new_volume_exactly_when_this_one_is_deleted(workspace: Json, since: int | None) -> None:
    decided = expired({"workspace": workspace}, finished_status(ended=3600, history=[attempt(1, "Disrupted", "Evicted"), attempt(2)]), **ARGO)
    assert status_of(decided).get("volumeSince") == since
    assert (VOLUME in deleted(decided)) == (since is not None)


def test_a_session_that_cannot_be_read_never_expires() -> None:
    broken = session(TTL, status=OLD)
    broken["spec"]["suspend"] = ["no"]
    assert expire(observed(broken)).delete == ()


@pytest.mark.parametrize(
    ("meta", "kept"),
    [
        ({}, False),
        ({"labels": {"app": "x"}, "annotations": {"note": "y"}}, False),
        (ARGO, True),
        ({"labels": {"argocd.argoproj.io/instance": "x"}}, True),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, True),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "x"}}, True),
    ],
)
def test_gitops_tools_are_known_by_their_marks(meta: Json, kept: bool) -> None:
    assert tracked(observed(session(status=OLD, **meta))) is kept


@pytest.mark.parametrize("ended", [0, 3600])
def test_a_change_of_the_spec_of_a_finished_session_is_observed(ended: float) -> None:
    before = finished_status(ended=ended)
    decided = plan(observed(session({"ttlSecondsAfterFinished": 86400}, status=before, generation=2)))
    found = status_of(decided)
    assert found["observedGeneration"] == 2
    assert {one["observedGeneration"] for one in found["conditions"]} == {2}
    assert told(found) == told(before)
