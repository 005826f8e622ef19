"""AgentSession for the engine: what a look finds, and what a session waits for."""

from __future__ import annotations

from typing import Any

import pytest

from simulation.pod_status import Json
from stint.engine.keys import Key
from stint.engine.waiters import Waiters
from stint.kube.resources import Resource
from stint.sessions.expiry import SESSIONS
from stint.sessions.kind import Sessions, awaited
from stint.sessions.observed import Observed
from stint.sessions.plan import plan
from unit.sessions.builders import (
    NAME,
    NAMESPACE,
    NOW,
    UID,
    finished_status,
    observed,
    profile,
    provider,
    running_pod,
    running_status,
    session,
)
from unit.sessions.kit import Cluster, no_budgets, no_traffic, world

KEY = Key("AgentSession", NAMESPACE, NAME)
DEFAULT = ("ModelProvider", "default")
RETRY: Json = {"retryRequest": "2026-11-21T09:59:00Z"}


def unreadable() -> Json:
    item = session()
    item["spec"]["suspend"] = ["no"]
    return item


CASES: list[Any] = [
    pytest.param(observed(), {DEFAULT}, id="a new one"),
    pytest.param(observed(no_provider=True), {DEFAULT}, id="without a provider"),
    pytest.param(observed(session({"profileRef": {"name": "bug-fixer"}})), {("AgentProfile", "bug-fixer")}, id="without its profile"),
    pytest.param(
        observed(session({"profileRef": {"name": "bug-fixer"}}), profile=profile()), {("AgentProfile", "bug-fixer"), DEFAULT}, id="with its profile",
    ),
    pytest.param(observed(session({"continueFrom": {"name": "earlier"}})), {("AgentSession", "earlier"), DEFAULT}, id="it continues another"),
    pytest.param(observed(session({"providerRef": {"name": "other"}}), no_provider=True), {("ModelProvider", "other")}, id="a provider of its own"),
    pytest.param(observed(session(status=running_status(1)), pods=[running_pod()]), set(), id="it runs"),
    pytest.param(observed(session(status=finished_status())), set(), id="it is finished"),
    pytest.param(observed(unreadable()), set(), id="it cannot be read"),
    pytest.param(observed(session(RETRY, status=finished_status()), no_provider=True), {DEFAULT}, id="it is to run again and cannot yet"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "expected"), CASES)
def test_a_session_waits_for_what_may_let_it_start(seen: Observed, expected: set[tuple[str, str]]) -> None:
    assert awaited(seen, plan(seen)) == expected


async def test_a_look_is_bound_to_the_version_that_was_planned_from() -> None:
    item = session(version=100)
    look = await Sessions(world(Cluster(anthropic={"api-key": ""}), item, provider()), Waiters(), no_budgets(), no_traffic()).look(KEY, NOW, None)
    assert look is not None
    assert (look.target.resource, look.target.kind, look.target.item) == (SESSIONS, "AgentSession", item)
    assert look.plan.create


async def test_a_look_remembers_what_the_session_waits_for() -> None:
    waiters = Waiters()
    place = world(Cluster(), session())
    await Sessions(place, waiters, no_budgets(), no_traffic()).look(KEY, NOW, None)
    assert list(waiters.of(*DEFAULT)) == [KEY]
    place.sessions.put(session(status=finished_status(), version=101))
    await Sessions(place, waiters, no_budgets(), no_traffic()).look(KEY, NOW, None)
    assert list(waiters.of(*DEFAULT)) == []


async def test_a_session_that_is_gone_waits_for_nothing() -> None:
    waiters = Waiters()
    waiters.wait(KEY, {DEFAULT})
    assert await Sessions(world(Cluster()), waiters, no_budgets(), no_traffic()).look(KEY, NOW, None) is None
    assert list(waiters.of(*DEFAULT)) == []


async def test_nothing_is_decided_about_a_version_that_changed_meanwhile() -> None:
    class Busy(Cluster):
        async def get(self, resource: Resource, namespace: str, name: str) -> Json:
            place.sessions.put(session({"suspend": True}, version=101, generation=2))
            return {"data": {"api-key": ""}}

    place = world(Busy(), session(version=100), provider())
    assert await Sessions(place, Waiters(), no_budgets(), no_traffic()).look(KEY, NOW, None) is None


def test_what_vanished_is_forgotten_with_its_gone_pods() -> None:
    place = world(Cluster(), session())
    place.pods.take(running_pod(), gone=True)
    Sessions(place, Waiters(), no_budgets(), no_traffic()).vanished(KEY, UID)
    assert place.sessions.get(NAMESPACE, NAME) is None
    assert len(place.pods) == 0


def test_a_session_created_again_meanwhile_is_kept() -> None:
    place = world(Cluster(), session(uid="another"))
    Sessions(place, Waiters(), no_budgets(), no_traffic()).vanished(KEY, UID)
    assert place.sessions.holds(NAMESPACE, NAME, "another")
