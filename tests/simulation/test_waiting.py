"""What sessions wait for: what they need and do not find yet, and what the API server refuses."""

from __future__ import annotations

import pytest

from simulation import pod_status
from simulation.api import PROFILES, PROVIDERS, SESSIONS
from simulation.pod_status import Json
from simulation.story import NAMESPACE, Story
from simulation.world import SYSTEM, World
from stint.kube.errors import ApiError, from_status
from stint.kube.resources import CLAIMS, NETWORK_POLICIES, PODS, Resource

OVERLOADED = pod_status.failure("Overloaded")


# What sessions need


@pytest.mark.parametrize("resource", [PROVIDERS, PROFILES], ids=lambda resource: resource.plural)
def test_a_session_starts_as_soon_as_what_it_waits_for_is_there(story: Story, resource: Resource) -> None:
    name = "later"
    reference: Json = {"providerRef": {"name": name}} if resource == PROVIDERS else {"profileRef": {"name": name}}
    story.start(**reference)
    assert story.phase() == "Waiting"
    story.world.create(resource, name, {}, namespace=SYSTEM)
    story.look()
    assert story.pods() == ["a-1"]


def test_a_session_starts_within_a_minute_once_its_secret_is_there(world: World) -> None:
    world.create(PROVIDERS, "default", {})
    world.settle()
    world.create(SESSIONS, "a", {"prompt": "x"})
    world.settle()
    assert world.session("a")["status"]["waitingFor"]["reason"] == "SecretMissing"
    world.create_secret()
    world.pass_time(61)
    assert [pod["metadata"]["name"] for pod in world.api.of(PODS)] == ["a-1"]


def test_a_continuation_starts_when_its_source_has_ended(story: Story) -> None:
    story.ends["source", 1] = None
    story.start("source")
    story.start("a", continueFrom={"name": "source"})
    story.go_on_to("Running", "source")
    assert story.status()["waitingFor"]["reason"] == "SourceNotFinished"
    story.ends.clear()
    story.go_on_to_the_end()
    assert story.outcomes() == ["Succeeded"]


def test_a_retry_does_not_need_the_source_any_more(story: Story) -> None:
    story.start("source")
    story.go_on_to_the_end()
    story.ends["a", 1] = OVERLOADED
    story.start("a", continueFrom={"name": "source"})
    story.go_on_until(lambda: story.outcomes() == ["Failed"])
    story.world.api.delete(SESSIONS, NAMESPACE, "source")
    story.go_on_to_the_end()
    assert story.outcomes() == ["Failed", "Succeeded"]


# Refusals


@pytest.mark.parametrize("resource", [PODS, CLAIMS, NETWORK_POLICIES], ids=lambda resource: resource.plural)
def test_what_the_api_server_refuses_is_told_and_tried_again_twice_a_minute(story: Story, resource: Resource) -> None:
    tried = []

    def quota(wanted: Resource, item: Json) -> ApiError | None:
        if wanted != resource:
            return None
        tried.append(item["metadata"]["name"])
        return from_status(403, {"reason": "Forbidden", "message": "exceeded quota"})

    story.world.api.rules.append(quota)
    story.start()
    assert story.status()["waitingFor"]["reason"] == "PodRefused"
    first, writes = len(tried), len(story.world.api.writes)
    story.world.pass_time(300)
    assert len(tried) - first == 10
    assert len(story.world.api.writes) == writes, "nothing has changed, so nothing is written"
    story.world.api.rules.clear()
    story.go_on_to_the_end()
    assert story.outcomes() == ["Succeeded"]


def test_a_namespace_that_is_going_away_gets_no_more_pods(story: Story) -> None:
    created = story.world.create(SESSIONS, "a", {"prompt": "x"})
    story.world.api.terminating.add(NAMESPACE)
    story.look()
    assert story.pods(created) == []
    assert story.status()["waitingFor"]["reason"] == "NamespaceTerminating"


def test_a_deleted_policy_is_put_back_before_the_next_pod(story: Story) -> None:
    story.start("first")
    story.go_on_to_the_end()
    story.world.api.delete(NETWORK_POLICIES, NAMESPACE, "stint-agents-default")
    story.look()
    story.start("a")
    assert [item["metadata"]["name"] for item in story.world.api.of(NETWORK_POLICIES)] == ["stint-agents-default"]
