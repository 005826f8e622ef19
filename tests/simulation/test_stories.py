"""Stories with a known end: how many writes they take, and that they end the same way if the controller is killed at any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from simulation import pod_status
from simulation.api import PROFILES, PROVIDERS, SESSIONS
from simulation.pod_status import Json
from simulation.story import GOOD, NAMESPACE, Story, by_controller
from simulation.world import SYSTEM, World, quiet_world
from stint.kube.errors import ApiError, from_status
from stint.kube.resources import CLAIMS, NETWORK_POLICIES, PODS, Resource

EPHEMERAL: Json = {"workspace": {"ephemeral": True}}
OVERLOADED = pod_status.failure("Overloaded")


@pytest.fixture
def world() -> Iterator[World]:
    with quiet_world() as found:
        yield found


@pytest.fixture
def story(world: World) -> Story:
    return Story(world)


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


# What belongs to others


@pytest.mark.parametrize(("resource", "name"), [(PODS, "a-1"), (CLAIMS, "a-{uid}")], ids=["pod", "volume"])
def test_what_somebody_else_made_under_our_name_is_not_taken(story: Story, resource: Resource, name: str) -> None:
    session = story.world.create(SESSIONS, "a", {"prompt": "x"})
    taken = name.format(uid=session["metadata"]["uid"][:8])
    story.world.api.create(resource, NAMESPACE, {"kind": "Foreign", "metadata": {"name": taken}, "spec": {}})
    story.world.settle()
    assert story.status()["waitingFor"] == {"kind": "Pod" if resource == PODS else "PersistentVolumeClaim", "name": taken, "reason": "NameTaken"}
    story.world.api.delete(resource, NAMESPACE, taken)
    story.world.pass_time(31)
    story.go_on_to_the_end()
    assert story.outcomes() == ["Succeeded"]


def test_a_pod_that_has_taken_the_place_of_ours_is_not_deleted(story: Story) -> None:
    story.ends["a", 1] = None
    story.start()
    story.go_on_to("Running")
    (pod,) = list(story.world.cluster.pods())
    story.world.cluster.force_delete(pod)
    story.world.api.create(PODS, NAMESPACE, {"metadata": {"name": "a-1"}, "spec": {}})
    story.world.edit("a", suspend=True)
    story.world.deliver(SESSIONS)  # but of the pods it has heard nothing yet
    story.world.work()
    assert [item["metadata"]["name"] for item in story.world.api.of(PODS)] == ["a-1"]


def test_a_session_that_vanished_unnoticed_is_asked_for_once(story: Story) -> None:
    """The watch on sessions lags behind the one on pods."""
    story.ends["a", 1] = None
    story.start()
    story.go_on_to("Running")
    story.world.api.delete(SESSIONS, NAMESPACE, "a")
    (pod,) = list(story.world.cluster.pods())
    story.world.cluster.end(pod, GOOD, story.world.loop.clock())
    before = story.world.client.writes
    for _ in range(3):
        story.world.deliver(PODS)
        story.world.work()
    story.world.pass_time(300)
    assert story.world.client.writes - before == 1
    assert len(story.world.assembly.caches[SESSIONS]) == 0
    story.world.settle()
    assert story.world.client.writes - before == 1


# Money


def test_a_pod_that_nobody_saw_is_counted_from_the_journal_and_counted_once(story: Story) -> None:
    """It ran and went while the controller was away; the reports of all attempts after it name it."""
    story.ends = {("a", 1): None, ("a", 2): OVERLOADED}
    story.start()
    (pod,) = list(story.world.cluster.pods())
    story.world.cluster.schedule(pod, "node-1")
    story.world.cluster.start(pod, story.world.loop.clock())
    story.world.cluster.serve(pod, Decimal("0.7"))
    story.world.cluster.force_delete(pod)
    story.world.restart()
    story.ends["a", 1] = OVERLOADED
    story.go_on_to_the_end()
    assert story.outcomes() == ["Failed", "Failed", "Succeeded"]
    assert (Decimal(story.status()["usage"]["cost"]), story.status()["usage"]["estimated"]) == (Decimal("1.45"), False)


def test_the_report_of_a_gateway_before_its_restart_is_not_the_whole(story: Story) -> None:
    story.ends["a", 1] = None
    story.start(limits={"cost": "5"}, retry={"limit": 0}, **EPHEMERAL)
    story.go_on_until(lambda: any(life.requests for life in story.world.cluster.lives.values()))
    (pod,) = list(story.world.cluster.pods())
    story.world.cluster.restart_gateway(pod, story.world.loop.clock())
    story.look()
    story.world.cluster.serve(pod, Decimal("1"))
    story.world.cluster.force_delete(pod)
    story.look()
    assert (story.status()["usage"]["cost"], story.status()["usage"]["estimated"]) == ("5", True)


def test_a_limit_that_was_lowered_does_not_make_a_lost_attempt_cheaper(story: Story) -> None:
    story.ends["a", 1] = None
    story.start(limits={"cost": "5"}, retry={"limit": 0})
    story.go_on_to("Running")
    story.world.edit("a", limits={"cost": "0.1"})
    (pod,) = list(story.world.cluster.pods())
    story.world.cluster.serve(pod, Decimal("3"))
    story.world.cluster.force_delete(pod)
    story.look()
    assert (story.status()["usage"]["cost"], story.status()["usage"]["estimated"]) == ("5", True)


def test_the_journal_puts_an_estimate_right(story: Story) -> None:
    story.ends["a", 1] = None
    story.start(limits={"cost": "5"})
    story.go_on_until(lambda: any(life.requests for life in story.world.cluster.lives.values()))
    (pod,) = list(story.world.cluster.pods())
    story.world.cluster.lose_containers(pod)
    story.look()
    assert (story.status()["usage"]["cost"], story.status()["usage"]["estimated"]) == ("5", True)
    story.go_on_to_the_end()
    assert (Decimal(story.status()["usage"]["cost"]), story.status()["usage"]["estimated"]) == (Decimal("0.5"), False)


def test_lost_attempts_cannot_use_more_than_the_limit_together(story: Story) -> None:
    story.cost = Decimal("0.4")
    story.ends = {("a", number): None for number in range(1, 9)}
    story.start(limits={"cost": "1"}, retry={"limit": 20})
    for _ in range(8):
        story.go_on_until(lambda: any(pod["status"]["phase"] == "Running" for pod in story.world.cluster.pods()) or story.phase() == "Suspended")
        for pod in story.world.cluster.live("Running"):
            while story.world.cluster.serve(pod, Decimal("0.4")):
                pass
            story.world.cluster.lose_containers(pod)
        story.look()
    assert sum(life.served for life in story.world.cluster.lives.values()) <= Decimal("1.4"), "the limit, and one answer"


def test_what_a_gateway_let_through_before_it_could_not_start_again_is_not_free(story: Story) -> None:
    story.ends["a", 1] = None
    story.start(limits={"cost": "5"}, retry={"limit": 0}, **EPHEMERAL)
    story.go_on_until(lambda: any(life.requests for life in story.world.cluster.lives.values()))
    (pod,) = list(story.world.cluster.pods())
    story.world.cluster.break_gateway(pod, story.world.loop.clock())
    story.look()
    story.world.cluster.end(pod, pod_status.failure("ProviderUnreachable"), story.world.loop.clock())
    story.go_on_to_the_end()
    usage = story.status()["usage"]
    assert (usage["cost"], usage["estimated"]) == ("5", True)


def test_a_gateway_that_never_started_has_let_nothing_through(story: Story) -> None:
    story.start(limits={"startTimeout": "1m"}, retry={"limit": 0}, **EPHEMERAL)
    (pod,) = list(story.world.cluster.pods())
    story.world.cluster.schedule(pod, "node-1")
    story.world.cluster.break_gateway(pod, story.world.loop.clock())
    story.look()
    story.world.pass_time(5)
    assert story.status()["waitingFor"]["reason"] == "CrashLoopBackOff"
    story.world.pass_time(70)
    story.go_on_to_the_end()
    assert (story.status()["usage"]["cost"], story.status()["usage"]["estimated"]) == ("0", False)


def test_a_pod_that_kubelet_does_not_take_is_replaced_and_costs_nothing(story: Story) -> None:
    story.start()
    (pod,) = list(story.world.cluster.pods())
    story.world.cluster.schedule(pod, "node-1")
    story.world.cluster.reject(pod)
    story.go_on_to_the_end()
    assert story.outcomes()[-1] == "Succeeded"
    assert (story.status()["usage"]["cost"], story.status()["usage"]["estimated"]) == ("0.25", False)
