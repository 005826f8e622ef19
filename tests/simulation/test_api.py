"""The simulated API server keeps the rules that the real one keeps; a simulation on a softer server would prove nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from simulation import pod_status
from simulation.api import PROVIDERS, SESSIONS, Api, merged
from simulation.pod_status import Json
from stint.kube.errors import Conflict, NotFound, Refused
from stint.kube.resources import CLAIMS, PODS

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
N = "team-a"


@pytest.fixture
def api() -> Api:
    return Api(lambda: NOW)


def new_session(api: Api, name: str = "a", **spec: object) -> Json:
    return api.create(SESSIONS, N, {"metadata": {"name": name}, "spec": {"prompt": "x", **spec}})


def new_pod(api: Api, owner: Json, name: str = "a-1") -> Json:
    reference = {"uid": owner["metadata"]["uid"], "controller": True}
    return api.create(PODS, N, {"metadata": {"name": name, "ownerReferences": [reference]}, "spec": {"terminationGracePeriodSeconds": 30}})


def write(api: Api, item: Json, status: Json) -> Json:
    meta = item["metadata"]
    return api.write_status(SESSIONS, N, meta["name"], version=meta["resourceVersion"], uid=meta["uid"], status=status)


def test_a_name_can_be_taken_once(api: Api) -> None:
    new_session(api)
    with pytest.raises(Conflict):
        new_session(api)


def test_an_object_created_again_is_another_one(api: Api) -> None:
    old = new_session(api)
    api.delete(SESSIONS, N, "a")
    assert new_session(api)["metadata"]["uid"] != old["metadata"]["uid"]


def test_defaults_of_the_schema_are_filled_in_and_unknown_fields_dropped(api: Api) -> None:
    created = new_session(api, nonsense=1)
    assert created["spec"]["suspend"] is False
    assert "nonsense" not in created["spec"]


def test_the_schema_refuses_a_bad_spec_and_a_bad_status(api: Api) -> None:
    with pytest.raises(Refused):
        new_session(api, "b", suspend="no")
    session = new_session(api)
    for bad in ({"conditions": [{"type": "Ready"}]}, {"usage": {"cost": "-1"}}, {"usage": {"turns": 2**63}}, {"completionTime": "1-01-01T00:00:00Z"}):
        with pytest.raises(Refused):
            write(api, session, bad)
    assert len(api.refused) > 3


def test_a_status_is_written_only_to_the_version_that_was_read(api: Api) -> None:
    session = new_session(api)
    write(api, session, {"attempt": 1})
    with pytest.raises(Conflict):
        write(api, session, {"attempt": 2})


def test_a_status_write_touches_nothing_else_and_a_spec_write_leaves_the_status(api: Api) -> None:
    written = write(api, new_session(api), {"attempt": 1})
    assert written["metadata"]["generation"] == 1
    edited = api.patch(SESSIONS, N, "a", {"spec": {"suspend": True}, "status": {"attempt": 9}})
    assert edited["metadata"]["generation"] == 2
    assert edited["status"] == {"attempt": 1}


def test_writing_what_is_there_already_changes_no_version_and_is_remembered(api: Api) -> None:
    written = write(api, new_session(api), {"attempt": 1})
    again = write(api, written, {"attempt": 1})
    assert again == written
    assert not api.writes[-1].changed


def test_what_is_not_there_cannot_be_written(api: Api) -> None:
    session = new_session(api)
    api.delete(SESSIONS, N, "a")
    with pytest.raises(NotFound):
        write(api, session, {})


def test_a_deletion_with_another_uid_is_refused(api: Api) -> None:
    new_session(api)
    with pytest.raises(Conflict):
        api.delete(SESSIONS, N, "a", uid="another")


def test_a_pod_on_a_node_gets_its_grace_period_which_can_only_become_shorter(api: Api) -> None:
    pod = new_pod(api, new_session(api))
    api.bind(N, "a-1", "node-1")
    assert api.delete(PODS, N, "a-1", uid=pod["metadata"]["uid"])["metadata"]["deletionTimestamp"] == "2026-11-21T10:00:30Z"
    assert api.delete(PODS, N, "a-1", grace_seconds=60)["metadata"]["deletionGracePeriodSeconds"] == 30
    assert api.delete(PODS, N, "a-1", grace_seconds=5)["metadata"]["deletionTimestamp"] == "2026-11-21T10:00:05Z"
    api.delete(PODS, N, "a-1", grace_seconds=0)
    assert list(api.of(PODS)) == []


def test_a_pod_that_was_never_scheduled_or_has_ended_goes_at_once(api: Api) -> None:
    owner = new_session(api)
    new_pod(api, owner, "a-1")
    new_pod(api, owner, "a-2")
    api.bind(N, "a-2", "node-1")
    api.set_pod_status(N, "a-2", pod_status.ended(started=NOW, finished=NOW))
    api.delete(PODS, N, "a-1")
    api.delete(PODS, N, "a-2")
    assert list(api.of(PODS)) == []


def test_the_collector_takes_what_a_deleted_owner_leaves_behind_and_nothing_else(api: Api) -> None:
    gone, there = new_session(api, "a"), new_session(api, "b")
    new_pod(api, gone, "a-1")
    new_pod(api, there, "b-1")
    api.create(CLAIMS, N, {"metadata": {"name": "retained"}, "spec": {}})
    api.delete(SESSIONS, N, "a")
    api.collect_garbage()
    assert [pod["metadata"]["name"] for pod in api.of(PODS)] == ["b-1"]
    assert [claim["metadata"]["name"] for claim in api.of(CLAIMS)] == ["retained"]


def test_every_change_is_told_in_its_order_with_a_version_of_its_own(api: Api) -> None:
    session = new_session(api)
    write(api, session, {"attempt": 1})
    api.delete(SESSIONS, N, "a")
    changes = api.changes[SESSIONS.plural]
    assert [change.kind for change in changes] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(change.item["metadata"]["resourceVersion"]) for change in changes]
    assert versions == sorted(set(versions)) == [change.version for change in changes]


def test_what_is_handed_out_is_a_copy(api: Api) -> None:
    session = new_session(api)
    session["spec"]["prompt"] = "changed"
    assert api.get(SESSIONS, N, "a")["spec"]["prompt"] == "x"


def test_a_list_is_filtered_by_labels(api: Api) -> None:
    for name, labels in (("a", {"team": "x"}), ("b", {"team": "y", "kind": "z"})):
        api.create(PROVIDERS, N, {"metadata": {"name": name, "labels": labels}, "spec": {}})
    names = {
        selector: [item["metadata"]["name"] for item in api.listing(PROVIDERS, None, selector)[0]]
        for selector in ("", "team=y", "kind", "team=x,kind")
    }
    assert names == {"": ["a", "b"], "team=y": ["b"], "kind": ["b"], "team=x,kind": []}


@pytest.mark.parametrize(
    ("target", "patch", "outcome"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_is_applied_as_rfc_7396_says(target: Json, patch: object, outcome: object) -> None:
    assert merged(target, patch) == outcome
