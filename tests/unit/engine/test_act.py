"""Carrying plans out, and every answer that an API server may give on the way."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from stint.engine.act import ObjectGone, act, owners
from stint.engine.plan import NAME_TAKEN, NAMESPACE_TERMINATING, Create, Delete, EventRecord, Plan, Refusal
from stint.kube.errors import ApiError, Conflict, NotFound, Refused, Unauthorized, Unreachable
from stint.kube.resources import CLAIMS, NETWORK_POLICIES, PODS, Resource
from unit.engine.kit import Json, Notes, ScriptedClient, target, thing

STATUS = {"phase": "Running", "structured": {"answer": None}}
TAKEN = Conflict(409, "AlreadyExists", 'pods "fix-1" already exists')


def manifest(name: str = "fix-1", kind: str = "Pod", **meta: Any) -> Json:
    return {"kind": kind, "metadata": {"namespace": "team-a", "name": name, **meta}, "spec": {"x": 1}}


POD = Create(PODS, manifest())
WHOLE = Plan(
    status=STATUS,
    delete=(Delete(PODS, "team-a", "old-1", "p-1", 30), Delete(CLAIMS, "team-a", "old-2", None)),
    create=(POD, Create(CLAIMS, manifest("claim", "PersistentVolumeClaim"))),
    events=(EventRecord("Started", "it begins"), EventRecord("Odd", "something is odd", warning=True)),
)


def pod_of(uid: str, **reference: Any) -> Json:
    item = thing("fix-1", uid="p-1")
    item["metadata"]["ownerReferences"] = [{"uid": uid, "controller": True, **reference}]
    return item


async def test_the_order_is_status_deletions_creations_events() -> None:
    client, notes = ScriptedClient(), Notes()
    assert await act(client, WHOLE, target(), notes) is None
    assert client.asked == [
        ("status", "fix"), ("delete", "old-1"), ("delete", "old-2"), ("create", "fix-1"), ("create", "claim"), ("event", "Started"), ("event", "Odd"),
    ]  # fmt: skip


async def test_a_status_that_says_the_deletions_are_done_is_written_after_them() -> None:
    client = ScriptedClient()
    await act(client, Plan(status=STATUS, delete=(Delete(PODS, "team-a", "old-1", "p-1"),), create=(POD,), delete_first=True), target(), Notes())
    assert client.asked == [("delete", "old-1"), ("status", "fix"), ("create", "fix-1")]


async def test_every_answer_is_fed_back_under_its_resource() -> None:
    notes = Notes()
    await act(ScriptedClient(), Plan(status=STATUS, create=(POD,)), target(), notes)
    assert notes.told == [("feed", "agentsessions", {"written": STATUS}), ("feed", "pods", {"created": POD.manifest})]


async def test_a_plan_that_says_nothing_writes_nothing() -> None:
    client = ScriptedClient()
    await act(client, Plan(), target(), Notes())
    assert client.asked == []


@pytest.mark.parametrize(("item", "planned"), [({"status": STATUS}, STATUS), ({}, {}), ({"status": None}, {})])
async def test_a_status_that_is_there_already_is_not_written(item: Json, planned: Json) -> None:
    client = ScriptedClient()
    await act(client, Plan(status=planned), target(**item), Notes())
    assert client.asked == []


async def test_a_status_is_written_only_onto_the_version_it_was_planned_from() -> None:
    client = ScriptedClient()
    await act(client, Plan(status=STATUS), target(version=7, uid="u-7"), Notes())
    assert client.bodies == [{"version": "7", "uid": "u-7", "status": STATUS}]


async def test_an_object_whose_status_cannot_be_found_is_gone_and_nothing_more_is_done() -> None:
    client = ScriptedClient(status=NotFound(404, "NotFound", "no session"))
    with pytest.raises(ObjectGone, match="u-1"):
        await act(client, WHOLE, target(), Notes())
    assert client.asked == [("status", "fix")]


@pytest.mark.parametrize(
    "failure", [Conflict(409, "Conflict", "stale"), Unreachable("lost"), Unauthorized(401, "", "who?"), NotFound(404, "", "404 page not found")]
)
async def test_a_status_that_cannot_be_written_stops_the_plan(failure: Exception) -> None:
    client = ScriptedClient(status=failure)
    with pytest.raises(type(failure)):
        await act(client, WHOLE, target(), Notes())
    assert client.asked == [("status", "fix")]


async def test_deletions_name_uid_and_grace_period() -> None:
    client = ScriptedClient()
    await act(client, Plan(delete=WHOLE.delete), target(), Notes())
    assert client.bodies == [{"uid": "p-1", "grace_seconds": 30}, {"uid": None, "grace_seconds": None}]


async def test_what_is_gone_already_is_told_by_its_uid_and_the_plan_goes_on() -> None:
    client, notes = ScriptedClient(delete=NotFound(404, "NotFound", "no pod")), Notes()
    await act(client, Plan(delete=WHOLE.delete, create=(POD,)), target(), notes)
    assert client.asked[-1] == ("create", "fix-1")
    assert notes.told[:-1] == [("missing", "pods", "p-1")]


async def test_another_object_of_the_same_name_is_left_alone_and_the_plan_goes_on() -> None:
    client, notes = ScriptedClient(delete=Conflict(409, "Conflict", "uid differs")), Notes()
    await act(client, Plan(delete=WHOLE.delete, create=(POD,)), target(), notes)
    assert client.asked[-1] == ("create", "fix-1")
    assert notes.told == [("feed", "pods", {"created": POD.manifest})]


@pytest.mark.parametrize("verb", ["delete", "create"])
async def test_an_api_server_out_of_reach_stops_the_plan(verb: str) -> None:
    client = ScriptedClient(**{verb: Unreachable("lost")})
    with pytest.raises(Unreachable):
        await act(client, WHOLE, target(), Notes())
    assert client.asked[-1][0] == verb


async def test_a_pod_of_ours_from_before_a_crash_is_adopted() -> None:
    client, notes = ScriptedClient(create=TAKEN), Notes()
    client.there = pod_of("u-1")
    assert await act(client, Plan(create=(POD,)), target(uid="u-1"), notes) is None
    assert notes.told == [("found", "pods", client.there)]


async def test_a_retained_volume_is_adopted_by_whom_it_remembers() -> None:
    client, notes = ScriptedClient(create=TAKEN), Notes()
    client.there = thing("claim")
    client.there["metadata"]["annotations"] = {"stint.dev/owner-uid": "u-0"}
    claim = Create(CLAIMS, manifest("claim", "PersistentVolumeClaim", annotations={"stint.dev/owner-uid": "u-0"}))
    assert await act(client, Plan(create=(claim,)), target(uid="u-1"), notes) is None
    assert [what for what, _, _ in notes.told] == ["found"]


@pytest.mark.parametrize("there", [thing("fix-1"), pod_of("u-2"), pod_of("u-1", controller=False)], ids=["nobody's", "another's", "not controlled"])
async def test_a_pod_of_somebody_else_is_a_name_taken(there: Json) -> None:
    client, notes = ScriptedClient(create=TAKEN), Notes()
    client.there = there
    refusal = await act(client, Plan(create=(POD,)), target(uid="u-1"), notes)
    assert refusal == Refusal("Pod", "fix-1", NAME_TAKEN, "a Pod named fix-1 exists and belongs to something else")
    assert notes.told == []


async def test_a_namesake_that_disappears_between_two_requests_is_no_loss_of_the_object_itself() -> None:
    client = ScriptedClient(create=TAKEN, get=NotFound(404, "NotFound", "no pod"))
    with pytest.raises(NotFound):
        await act(client, Plan(create=(POD,)), target(), Notes())


async def test_a_shared_object_that_is_there_is_brought_up_to_date() -> None:
    client, notes = ScriptedClient(create=TAKEN), Notes()
    client.there = thing("stint-agents", version=7)
    policy = Create(NETWORK_POLICIES, manifest("stint-agents", "NetworkPolicy"), shared=True)
    assert await act(client, Plan(create=(policy,)), target(), notes) is None
    assert client.asked == [("create", "stint-agents"), ("get", "stint-agents"), ("patch", "stint-agents")]
    patch = {"metadata": {"resourceVersion": "7"}, "spec": {"x": 1}}
    assert client.bodies[-1] == patch
    assert notes.told == [("feed", "networkpolicies", {"patched": patch})]


async def test_a_shared_object_that_another_writes_meanwhile_is_left_alone_and_looked_at_again() -> None:
    client = ScriptedClient(create=TAKEN, patch=Conflict(409, "Conflict", "modified"))
    policy = Create(NETWORK_POLICIES, manifest("stint-agents", "NetworkPolicy"), shared=True)
    with pytest.raises(Conflict):
        await act(client, Plan(create=(policy,)), target(), Notes())


@pytest.mark.parametrize(
    ("failure", "reason", "message"),
    [
        (Refused(403, "Forbidden", "exceeded quota: pods"), "Forbidden", "exceeded quota: pods"),
        (Refused(403, "Forbidden", "violates PodSecurity \"restricted\""), "Forbidden", "violates PodSecurity \"restricted\""),
        (Refused(422, "Invalid", "spec.x: bad", {"causes": [{"reason": "FieldValueInvalid"}]}), "Invalid", "spec.x: bad"),
        (Refused(422, "Invalid", "no causes", {"causes": None}), "Invalid", "no causes"),
        (Refused(403, "Forbidden", "being terminated", {"causes": [{"field": "x"}, {"reason": "NamespaceTerminating"}]}), NAMESPACE_TERMINATING,
         "being terminated"),
        (NotFound(404, "NotFound", "namespaces \"team-a\" not found"), NAMESPACE_TERMINATING, "namespaces \"team-a\" not found"),
    ],
    ids=["quota", "pod security", "validation", "null causes", "namespace ends", "namespace gone"],
)  # fmt: skip
async def test_a_refused_creation_is_returned_with_the_servers_own_words(failure: ApiError, reason: str, message: str) -> None:
    client, notes = ScriptedClient(create=failure), Notes()
    assert await act(client, Plan(create=(POD,)), target(), notes) == Refusal("Pod", "fix-1", reason, message)
    assert notes.told == []


async def test_after_a_refusal_nothing_more_is_created_but_events_are_told() -> None:
    client = ScriptedClient(create=Refused(403, "Forbidden", "exceeded quota"))
    refusal = await act(client, WHOLE, target(), Notes())
    assert refusal is not None
    assert [one for one in client.asked if one[0] in ("create", "event")] == [("create", "fix-1"), ("event", "Started"), ("event", "Odd")]


async def test_an_event_names_its_object_and_says_whether_it_is_a_warning() -> None:
    client = ScriptedClient()
    await act(client, Plan(events=(*WHOLE.events, EventRecord("Long", "y" * 3000))), target(version=7), Notes())
    calm, odd, long = client.bodies
    assert calm["involvedObject"] == {
        "apiVersion": "stint.dev/v1alpha1", "kind": "AgentSession", "namespace": "team-a", "name": "fix", "uid": "u-1", "resourceVersion": "7",
    }  # fmt: skip
    assert (calm["type"], calm["reason"], calm["message"]) == ("Normal", "Started", "it begins")
    assert calm["metadata"] == {"generateName": "fix.", "namespace": "team-a"}
    assert odd["type"] == "Warning"
    assert len(long["message"]) == 1024


async def test_an_event_that_is_refused_is_let_go(caplog: pytest.LogCaptureFixture) -> None:
    client = ScriptedClient(event=Refused(403, "Forbidden", "namespace ends"))
    with caplog.at_level(logging.INFO):
        assert await act(client, Plan(events=WHOLE.events), target(), Notes()) is None
    assert client.asked == [("event", "Started"), ("event", "Odd")]
    assert "no Event Started on team-a/fix" in caplog.text


async def test_the_plan_is_over_before_an_event_that_cannot_reach_the_server() -> None:
    client = ScriptedClient(event=Unreachable("lost"))
    with pytest.raises(Unreachable):
        await act(client, WHOLE, target(), Notes())
    assert client.asked[-1] == ("event", "Started")


def test_owners_are_the_controller_and_whom_a_retained_volume_remembers() -> None:
    item = thing()
    item["metadata"]["ownerReferences"] = [{"uid": "controller", "controller": True}, {"uid": "bystander"}, {"uid": "no", "controller": False}]
    assert owners(item) == {"controller"}
    item["metadata"]["annotations"] = {"stint.dev/owner-uid": "before"}
    assert owners(item) == {"controller", "before"}
    item["metadata"]["annotations"] = None
    assert owners(item) == {"controller"}


# Who is told that it took place


class Seen:
    """A `Witness` that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def written(self, status: Mapping[str, Any]) -> None:
        self.told.append(("written", dict(status)))

    def created(self, resource: Resource, item: Json) -> None:
        self.told.append((resource.plural, item))


async def test_a_witness_is_told_what_the_api_server_has_confirmed() -> None:
    seen = Seen()
    await act(ScriptedClient(), Plan(status=STATUS, create=(POD,)), target(), Notes(), seen)
    assert seen.told == [("written", STATUS), ("pods", {"created": POD.manifest})]


async def test_a_witness_is_not_told_of_a_status_that_was_there_before() -> None:
    seen = Seen()
    await act(ScriptedClient(), Plan(status=STATUS), target(status=STATUS), Notes(), seen)
    assert seen.told == []


async def test_a_witness_is_not_told_of_what_did_not_take_place_or_was_there_already() -> None:
    seen, client = Seen(), ScriptedClient(status=Conflict(409, "Conflict", "stale"))
    with pytest.raises(Conflict):
        await act(client, Plan(status=STATUS), target(), Notes(), seen)
    there = ScriptedClient(create=TAKEN)
    there.there = pod_of("u-1")
    await act(there, Plan(create=(POD,)), target(), Notes(), seen)
    assert seen.told == []


async def test_a_witness_knows_of_a_status_also_when_the_plan_fails_later() -> None:
    seen = Seen()
    with pytest.raises(Unreachable):
        await act(ScriptedClient(create=Unreachable("gone")), Plan(status=STATUS, create=(POD,)), target(), Notes(), seen)
    assert seen.told == [("written", STATUS)]
