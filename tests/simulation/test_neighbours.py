"""A session among others: what belongs to somebody else is left alone, and money is counted right."""

from __future__ import annotations

from decimal import Decimal

import pytest

from simulation import pod_status
from simulation.api import SESSIONS
from simulation.pod_status import Json
from simulation.story import GOOD, NAMESPACE, Story
from stint.kube.resources import CLAIMS, PODS, Resource

EPHEMERAL: Json = {"workspace": {"ephemeral": True}}
OVERLOADED = pod_status.failure("Overloaded")


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
