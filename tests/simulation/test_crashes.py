"""Stories with a known end: how many writes they take, that they end the same way if the controller is killed at any of them, and what is left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulation import pod_status
from simulation.api import SESSIONS
from simulation.pod_status import Json
from simulation.story import NAMESPACE, Story, by_controller
from simulation.world import quiet_world
from stint.kube.resources import CLAIMS

EPHEMERAL: Json = {"workspace": {"ephemeral": True}}
OVERLOADED = pod_status.failure("Overloaded")


# Writes


@pytest.mark.parametrize(("spec", "writes"), [(EPHEMERAL, 3), ({}, 4)])
def test_a_session_takes_three_writes_and_one_more_with_a_volume(story: Story, spec: Json, writes: int) -> None:
    story.start("first", **spec)
    story.go_on_to_the_end()  # the policy of the namespace is there now
    before = len(story.world.api.writes)
    story.start("a", **spec)
    story.go_on_to_the_end()
    assert len(by_controller(story.world.api.writes, before)) == writes


def test_a_finished_session_is_not_written_again_by_a_new_controller(story: Story) -> None:
    story.start()
    story.go_on_to_the_end()
    before = len(story.world.api.writes)
    story.world.restart()
    story.look()
    story.world.pass_time(3600)
    assert by_controller(story.world.api.writes, before) == []


# Crashes


def succeeds_at_the_second_try(story: Story) -> None:
    story.ends["a", 1] = OVERLOADED
    story.start()
    story.go_on_to_the_end()
    assert story.outcomes() == ["Failed", "Succeeded"]


def is_suspended_and_resumed(story: Story) -> None:
    story.ends["a", 1] = None
    story.start()
    story.go_on_to("Running")
    story.world.edit("a", suspend=True)
    story.go_on_to("Suspended")
    assert story.pods() == []
    story.world.edit("a", suspend=False)
    story.go_on_to_the_end()
    assert story.outcomes() == ["Suspended", "Succeeded"]


def is_cancelled(story: Story) -> None:
    story.ends["a", 1] = None
    story.start()
    story.go_on_to("Running")
    story.world.edit("a", cancel=True)
    story.go_on_to_the_end()
    assert story.outcomes() == ["Cancelled"]
    assert story.phase() == "Failed"


def is_run_once_more(story: Story) -> None:
    story.start(**EPHEMERAL)
    story.go_on_to_the_end()
    story.world.edit("a", retryRequest="2026-11-21T12:00:00.250Z")
    story.go_on_until(lambda: len(story.outcomes()) == 2)
    story.go_on_to_the_end()
    assert story.outcomes() == ["Succeeded", "Succeeded"]


def is_created_again_under_the_same_name(story: Story) -> None:
    story.ends["a", 1] = None
    old = story.start()
    story.go_on_to("Running")
    story.world.api.delete(SESSIONS, NAMESPACE, "a")
    story.ends.clear()
    new = story.start()
    story.go_on_to_the_end()
    assert story.outcomes() == ["Succeeded"]
    assert story.pods(old) == []
    assert story.pods(new) == ["a-1"]


def reaches_its_limit_and_is_given_more(story: Story) -> None:
    story.ends["a", 1] = pod_status.failure("BudgetReached")
    story.start(limits={"cost": "0.2"})
    story.go_on_until(lambda: bool(story.world.cluster.lives) and next(iter(story.world.cluster.lives.values())).requests > 0)
    for life in story.world.cluster.lives.values():
        life.limit_reached = True
    story.go_on_to("Suspended")
    story.world.edit("a", limits={"cost": "5"})
    story.go_on_to_the_end()
    assert story.outcomes() == ["Failed", "Succeeded"]


def is_removed_when_its_time_is_over(story: Story) -> None:
    story.start(ttlSecondsAfterFinished=60)
    story.go_on_until(lambda: not list(story.world.api.of(SESSIONS)))
    story.world.api.collect_garbage()
    assert story.pods() == []
    assert list(story.world.api.of(CLAIMS)) == []


def loses_pod_and_volume_when_its_time_is_over_but_stays_for_gitops(story: Story) -> None:
    story.world.create(SESSIONS, "a", {"prompt": "x", "ttlSecondsAfterFinished": 60}, annotations={"argocd.argoproj.io/tracking-id": "x"})
    story.go_on_until(lambda: bool(story.status().get("expired")))
    story.go_on_until(lambda: not story.pods())
    assert list(story.world.api.of(CLAIMS)) == []
    story.world.edit("a", retryRequest="2026-11-21T12:00:00Z")
    story.go_on_until(lambda: len(story.outcomes()) == 2)
    assert story.outcomes() == ["Succeeded", "Succeeded"]


STORIES: tuple[Callable[[Story], None], ...] = (
    succeeds_at_the_second_try,
    is_suspended_and_resumed,
    is_cancelled,
    is_run_once_more,
    is_created_again_under_the_same_name,
    reaches_its_limit_and_is_given_more,
    is_removed_when_its_time_is_over,
    loses_pod_and_volume_when_its_time_is_over_but_stays_for_gitops,
)


@pytest.mark.parametrize("tell", STORIES, ids=lambda tell: tell.__name__)
def test_the_story_ends_as_it_should(story: Story, tell: Callable[[Story], None]) -> None:
    tell(story)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lost_answer"])
@pytest.mark.parametrize("tell", STORIES, ids=lambda tell: tell.__name__)
def test_a_crash_at_any_write_changes_nothing_about_the_end(tell: Callable[[Story], None], fault: str) -> None:
    """Killed instead of the n-th write, or right after it, or its answer is lost: for every n there is."""
    with quiet_world() as smooth:
        story = Story(smooth)
        before = smooth.client.writes
        tell(story)
        writes = smooth.client.writes - before
    assert writes >= 3
    for number in range(writes):
        with quiet_world() as world:
            story = Story(world)
            setattr(world.client, fault, number)
            tell(story)
            assert fault == "lost_answer" or world.crashes == 1, f"write {number} never came"


# What is left behind


def test_nothing_is_remembered_of_sessions_that_are_gone(story: Story) -> None:
    for number in range(20):
        story.start(f"s{number}")
    story.go_on_to_the_end()
    for number in range(20):
        story.world.api.delete(SESSIONS, NAMESPACE, f"s{number}")
    story.world.api.collect_garbage()
    story.look()
    story.world.pass_time(1200)
    assembly = story.world.assembly
    assert len(assembly.pods) == 0
    assert len(assembly.caches[SESSIONS]) == 0
    assert len(assembly.queue) == 0


def test_what_a_finished_pod_said_is_forgotten_once_it_is_settled(story: Story) -> None:
    session = story.start()
    story.go_on_to_the_end()
    story.world.resync()
    (pod,) = story.world.assembly.pods.of(session["metadata"]["uid"])
    assert pod.containers == ()
