"""Gathering everything that decisions need: from caches, and from the API server only what cannot be cached."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json
from stint.engine.keys import Key
from stint.engine.plan import Refusal
from stint.kube.errors import NotFound, Unreachable
from stint.sessions.observe import LOG_LINES, World, observe
from stint.sessions.observed import Observed, Source
from stint.sessions.references import Reference
from unit.sessions.builders import (
    NAME,
    NAMESPACE,
    NOW,
    UID,
    ago,
    ahead,
    attempt,
    condition,
    ended_pod,
    finished_status,
    observed,
    pod,
    profile,
    provider,
    running_pod,
    running_status,
    session,
    status,
)
from unit.sessions.kit import Cluster, world

KEY = Key("AgentSession", NAMESPACE, NAME)
SYSTEM = "stint-system"
SECRET = ("secrets", NAMESPACE, "anthropic")
WITH_PROFILE: Json = {"profileRef": {"name": "bug-fixer"}}
EARLIER: Json = {"continueFrom": {"name": "earlier"}}


async def look(*items: Json, client: Cluster | None = None) -> Observed:
    seen = await observe(world(client or Cluster(), *items), KEY, NOW, None)
    assert seen is not None
    return seen


async def test_a_session_that_is_gone_is_not_observed() -> None:
    assert await observe(world(Cluster()), KEY, NOW, None) is None


async def test_everything_about_a_session_is_gathered() -> None:
    refusal = Refusal("Pod", "x", "Forbidden", "quota")
    place = world(Cluster(anthropic={"api-key": ""}), session(generation=3), provider())
    seen = await observe(place, KEY, NOW, refusal)
    assert seen is not None
    assert (seen.namespace, seen.name, seen.uid, seen.generation, seen.now, seen.refusal) == (NAMESPACE, NAME, UID, 3, NOW, refusal)
    assert (seen.pods, seen.log_tail, seen.source, seen.policy_in_place) == ((), "", None, None)
    assert seen.provider is not None
    assert (seen.provider.name, seen.provider.namespace) == ("default", NAMESPACE)
    assert seen.presence == {Reference("Secret", "anthropic", "api-key"): "there"}


async def test_the_builders_build_what_is_observed() -> None:
    seen = await look(session(), provider())
    built = observed()
    assert (seen.spec, seen.resolved, seen.provider) == (built.spec, built.resolved, built.provider)


# The one rule for sharing


@pytest.mark.parametrize(
    ("namespaces", "expected"),
    [((NAMESPACE, SYSTEM), NAMESPACE), ((SYSTEM,), SYSTEM), (("team-b",), None), ((), None)],
    ids=["its own first", "then the shared one", "never another team's", "none"],
)
async def test_a_provider_is_looked_for_at_home_then_in_the_system_namespace(namespaces: tuple[str, ...], expected: str | None) -> None:
    seen = await look(session(), *(provider(namespace=namespace) for namespace in namespaces))
    assert (seen.provider.namespace if seen.provider else None) == expected


@pytest.mark.parametrize(
    ("namespaces", "limit"), [((NAMESPACE, SYSTEM), "1"), ((SYSTEM,), "2")], ids=["its own first", "then the shared one"]
)
async def test_a_profile_is_looked_for_in_the_same_way(namespaces: tuple[str, ...], limit: str) -> None:
    costs = {NAMESPACE: "1", SYSTEM: "2"}
    profiles = [profile({"limits": {"cost": costs[namespace]}}, namespace=namespace) for namespace in namespaces]
    seen = await look(session(WITH_PROFILE), *profiles)
    assert seen.resolved is not None
    assert str(seen.resolved.cost_limit) == limit


async def test_a_profile_of_another_team_is_not_found() -> None:
    seen = await look(session(WITH_PROFILE), profile(namespace="team-b"), provider())
    assert (seen.resolved, seen.provider, seen.invalid) == (None, None, "")


async def test_a_profile_names_the_provider() -> None:
    seen = await look(session(WITH_PROFILE), profile({"providerRef": {"name": "other"}}), provider(name="other"))
    assert seen.provider is not None
    assert seen.provider.name == "other"


# What cannot be read


def broken(item: Json, field: str, value: object) -> Json:
    item["spec"][field] = value
    return item


UNREADABLE: list[Any] = [
    pytest.param([broken(session(), "suspend", ["no"]), provider()], "suspend: ", id="the session"),
    pytest.param([session(WITH_PROFILE), broken(profile(), "limits", 5), provider()], "AgentProfile bug-fixer: spec.limits: ", id="the profile"),
    pytest.param([session(WITH_PROFILE), broken(profile(), "limits", {"cost": "much"})], "AgentProfile bug-fixer: not an amount", id="the profile's money"),
    pytest.param([broken(session(), "limits", {"timeout": "soon"}), provider()], "not a duration: 'soon'", id="the session's own time"),
    pytest.param([session(), broken(provider(), "network", 5)], "ModelProvider default: spec.network: ", id="the provider"),
    pytest.param(
        [session(EARLIER), provider(), broken(session(name="earlier", uid="ffff"), "suspend", ["no"])], "AgentSession earlier: suspend: ", id="the source",
    ),
    pytest.param(
        [session(EARLIER), provider(), session(WITH_PROFILE, name="earlier", uid="ffff"), broken(profile(), "agent", 5)], "AgentSession earlier: ",
        id="the profile of the source",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("items", "words"), UNREADABLE)
async def test_what_cannot_be_read_is_named(items: list[Json], words: str) -> None:
    assert (await look(*items)).invalid.startswith(words)


# What the API server is asked


ASKED_NOTHING: list[Any] = [
    pytest.param([session({"suspend": True})], id="suspended"),
    pytest.param([session({"cancel": True})], id="cancelled"),
    pytest.param([session(deletionTimestamp=pod_status.stamp(NOW))], id="being deleted"),
    pytest.param([session(status=finished_status())], id="finished"),
    pytest.param([session(status=running_status(1)), running_pod()], id="running"),
    pytest.param([session(WITH_PROFILE)], id="without its profile"),
]


@pytest.mark.parametrize("items", ASKED_NOTHING)
async def test_nobody_is_asked_for_secrets_that_are_not_needed_now(items: list[Json]) -> None:
    client = Cluster()
    seen = await look(*items, provider(), client=client)
    assert (client.asked, seen.presence) == ([], {})


async def test_without_a_provider_nobody_knows_which_secret_to_ask_for() -> None:
    client = Cluster()
    await look(session(), client=client)
    assert client.asked == []


async def test_a_session_that_is_to_run_again_asks_for_its_secrets() -> None:
    client = Cluster()
    await look(session({"retryRequest": "2026-11-21T09:59:00Z"}, status=finished_status()), provider(), client=client)
    assert client.asked == [SECRET]


# Pods


async def test_pods_are_those_of_this_very_session() -> None:
    seen = await look(session(status=status(history=[attempt(1)])), provider(), pod(number=2), pod(number=1, owner="another", name="other"))
    assert [one.attempt for one in seen.pods] == [2]


async def test_what_a_settled_pod_said_is_forgotten() -> None:
    place = world(Cluster(), session(status=status(history=[attempt(1)])), ended_pod("said"))
    await observe(place, KEY, NOW, None)
    assert place.pods.of(UID)[0].containers == ()


async def test_a_pod_that_is_not_settled_keeps_its_words() -> None:
    place = world(Cluster(), session(status=running_status(1)), ended_pod("said"))
    await observe(place, KEY, NOW, None)
    assert place.pods.of(UID)[0].containers != ()


async def test_the_policy_in_place_is_the_one_of_this_provider() -> None:
    place = world(Cluster(), session(), provider())
    metadata = {"namespace": NAMESPACE, "name": "stint-agents-default", "uid": "u", "resourceVersion": "1"}
    place.policies.take({"metadata": metadata, "spec": {"podSelector": {}}})
    seen = await observe(place, KEY, NOW, None)
    assert seen is not None
    assert seen.policy_in_place == {"podSelector": {}}


# The session that is continued

SOURCES: list[Any] = [
    pytest.param(session(name="earlier", uid="e", status=finished_status()), Source("e", True, False), id="finished"),
    pytest.param(session(name="earlier", uid="e", status=running_status(1)), Source("e", False, False), id="running"),
    pytest.param(
        session(name="earlier", uid="e", status=status(history=[attempt(1, "Suspended")], conditions=[condition("Suspended")])), Source("e", True, False),
        id="suspended",
    ),
    pytest.param(session(name="earlier", uid="e", status=status(conditions=[condition("Suspended")])), Source("e", False, False), id="never started"),
    pytest.param(session(name="earlier", uid="e"), Source("e", False, False), id="new"),
    pytest.param(
        session({"workspace": {"ephemeral": True}}, name="earlier", uid="e", status=finished_status()), Source("e", True, True), id="ephemeral",
    ),
    pytest.param(
        session(name="earlier", uid="e", status=finished_status(expired=True, volumeSince=2)), Source("e", True, True), id="expired, its volume removed",
    ),
    pytest.param(session(name="earlier", uid="e", status=finished_status(expired=True)), Source("e", True, False), id="expired, its volume retained"),
    pytest.param(
        session(name="earlier", uid="e", status=finished_status(expired=True, volumeSince=2, history=[attempt(1), attempt(2)])), Source("e", True, False),
        id="expired again, its second volume retained",
    ),
    pytest.param(
        session(name="earlier", uid="e", status=finished_status(volumeSince=2, history=[attempt(1), attempt(2)])), Source("e", True, False),
        id="finished again on a second volume",
    ),
    pytest.param(
        session(name="earlier", uid="e", status=status(history=[attempt(1)], volumeSince=2)), Source("e", False, False), id="about to run again after it expired",
    ),
    pytest.param(
        session(name="earlier", uid="e", status=finished_status(volumeSince=2)), Source("e", True, True), id="expired, and cancelled before it ran again",
    ),
    pytest.param(
        session(name="earlier", uid="e", status=status(history=[attempt(1)], volumeSince=2, conditions=[condition("Suspended")])), Source("e", True, True),
        id="expired, and suspended before it ran again",
    ),
    pytest.param(session(name="earlier", uid="e", namespace="team-b", status=finished_status()), None, id="another team's"),
    pytest.param(session(name="later", uid="e", status=finished_status()), None, id="another one"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), SOURCES)
async def test_the_session_that_is_continued_is_looked_at(source: Json, expected: Source | None) -> None:
    assert (await look(session(EARLIER), provider(), source)).source == expected


async def test_a_source_may_be_ephemeral_by_its_profile() -> None:
    source = session(WITH_PROFILE, name="earlier", uid="e", status=finished_status())
    seen = await look(session(EARLIER), provider(), source, profile({"workspace": {"ephemeral": True}}))
    assert seen.source == Source("e", True, True)


async def test_the_source_is_not_looked_up_any_more_once_its_copy_has_been_talked_to() -> None:
    talked = status(history=[attempt(1, "Failed", "Overloaded")])
    unreadable = broken(session(name="earlier", uid="e"), "suspend", ["no"])
    for source in (session(name="earlier", uid="e", status=finished_status()), unreadable):
        seen = await look(session(EARLIER, status=talked), provider(), source)
        assert (seen.source, seen.invalid) == (None, "")


SILENT = attempt(1, "Failed", "CloneFailed", requests=0)
TALKED = [attempt(1), attempt(2, "Failed", "Overloaded")]
LOOKED_UP: list[Any] = [
    pytest.param(EARLIER, status(history=[SILENT]), True, id="an attempt that never asked the model"),
    pytest.param(EARLIER, status(history=TALKED, volumeSince=3), True, id="the volume was removed since"),
    pytest.param(EARLIER, status(history=TALKED, volumeSince=2), False, id="talked to on the new volume"),
    pytest.param({**EARLIER, "workspace": {"ephemeral": True}}, status(history=TALKED), True, id="nothing stays in the pod"),
]


@pytest.mark.parametrize(("spec", "before", "looked_up"), LOOKED_UP)
async def test_the_source_is_looked_up_until_the_present_volume_holds_its_copy(spec: Json, before: Json, looked_up: bool) -> None:
    seen = await look(session(spec, status=before), provider(), session(name="earlier", uid="e", status=finished_status()))
    assert seen.source == (Source("e", True, False) if looked_up else None)


# The log

CUT = pod_status.result(truncated=True, text="x")


async def test_the_log_is_read_when_the_result_was_cut() -> None:
    client = Cluster()
    client.log = "the whole"
    seen = await look(session(status=running_status(1)), provider(), ended_pod(CUT), client=client)
    assert seen.log_tail == "the whole"
    assert client.asked == [("log", NAMESPACE, f"{NAME}-1/agent/{LOG_LINES}")]


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(ended_pod(pod_status.result()), id="the result is whole"),
        pytest.param(ended_pod("nonsense"), id="there is no result"),
        pytest.param(running_pod(), id="it runs"),
        pytest.param(pod(pod_status.status("Failed")), id="there is no agent"),
    ],
)
async def test_the_log_is_not_read_otherwise(item: Json) -> None:
    client = Cluster()
    assert (await look(session(status=running_status(1)), provider(), item, client=client)).log_tail == ""
    assert client.asked == []


async def test_the_log_of_a_pod_that_is_gone_is_gone_with_it() -> None:
    client = Cluster()
    place = world(client, session(status=running_status(1)), provider())
    place.pods.take(ended_pod(CUT), gone=True)
    await observe(place, KEY, NOW, None)
    assert client.asked == []


def unreadable_log(failure: Exception) -> World:
    client = Cluster()
    client.log = failure
    return world(client, session(status=running_status(1)), provider(), ended_pod(CUT))  # it ended ten seconds ago


@pytest.mark.parametrize("failure", [Unreachable("502"), NotFound(404, "NotFound", "pod gone")], ids=["node down", "pod gone"])
async def test_a_log_that_cannot_be_read_is_tried_again_for_half_a_minute(failure: Exception) -> None:
    with pytest.raises(type(failure)):
        await observe(unreadable_log(failure), KEY, ahead(19), None)


@pytest.mark.parametrize("failure", [Unreachable("502"), NotFound(404, "NotFound", "pod gone")], ids=["node down", "pod gone"])
async def test_then_the_short_result_must_do(failure: Exception) -> None:
    seen = await observe(unreadable_log(failure), KEY, ahead(20), None)
    assert seen is not None
    assert seen.log_tail == ""


async def test_without_an_end_there_is_no_patience() -> None:
    client = Cluster()
    client.log = Unreachable("502")
    state = pod_status.status("Failed", agent=pod_status.terminated(1, CUT, started=ago(5)))
    assert (await look(session(status=running_status(1)), provider(), pod(state), client=client)).log_tail == ""


# What `Observed` says of itself


def test_what_is_suspended_or_cancelled_cannot_be_said_of_a_spec_that_cannot_be_read() -> None:
    seen = replace(observed(session({"suspend": True, "cancel": True})), spec=None)
    assert (seen.suspended, seen.cancelled, seen.retry_request, seen.rerun_requested) == (False, False, None, False)


def test_the_terms_of_a_session_without_its_profile_are_its_own() -> None:
    seen = observed(session({**WITH_PROFILE, "limits": {"cost": "2"}}))
    assert seen.resolved is None
    assert seen.terms is not None
    assert str(seen.terms.cost_limit) == "2"
    assert observed().terms == observed().resolved
    assert replace(observed(), resolved=None, spec=None).terms is None


def test_the_pod_that_counts_is_the_one_that_is_not_settled() -> None:
    seen = observed(session(status=status(history=[attempt(1)])), pods=[ended_pod(), pod(number=2)])
    assert seen.settled == 1
    assert seen.pod is not None
    assert seen.pod.attempt == 2
