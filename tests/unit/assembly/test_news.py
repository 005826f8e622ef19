"""Who is told of what: by watches, and by the answers to our own writes."""

from __future__ import annotations

import asyncio

import pytest

from stint.assembly import MISSING_PATIENCE, Assembly, Listing
from stint.engine.keys import Key
from stint.kube.resources import CLAIMS, NETWORK_POLICIES, PODS
from stint.profiles.kind import PROFILES
from stint.sessions.expiry import SESSIONS
from unit.assembly.kit import PROFILE, Started, line, pod, policy, profile, with_assembly
from unit.engine.kit import key, thing

# What watches tell


async def test_a_change_wakes_the_object_and_who_waits_for_it(assembly: Assembly) -> None:
    assembly.changed(PROFILES, profile(), gone=False)
    assert set(await line(assembly)) == {PROFILE, key("waits"), key("elsewhere", namespace="team-b")}
    assert assembly.caches[PROFILES].holds("team-a", "coder", "f-1")


@pytest.mark.parametrize("version", [4, 5])
async def test_news_that_are_not_new_wake_nobody(assembly: Assembly, version: int) -> None:
    assembly.changed(SESSIONS, thing(version=version), gone=False)
    assert await line(assembly) == []


async def test_a_disappearance_wakes_too_and_the_object_is_not_held_any_more(assembly: Assembly) -> None:
    assembly.changed(SESSIONS, thing(version=6), gone=True)
    assert await line(assembly) == [key("fix")]
    assert len(assembly.caches[SESSIONS]) == 0


async def test_a_pod_that_outlived_its_session_is_forgotten_with_it(assembly: Assembly) -> None:
    # given a pod that is gone but not settled
    assembly.pods.take(pod(6))
    assembly.pods.take(pod(7), gone=True)
    assert len(assembly.pods) == 1
    # when
    assembly.changed(SESSIONS, thing(version=8), gone=True)
    # then
    assert len(assembly.pods) == 0


async def test_news_of_running_pods_stand_in_the_second_line(assembly: Assembly) -> None:
    assembly.pods.take(pod(6))
    assembly.changed(SESSIONS, thing("new", 7, "u-2"), gone=False)
    assert await line(assembly) == [key("new"), key("fix")]


async def test_what_a_list_does_not_hold_any_more_is_gone(assembly: Assembly) -> None:
    # given a gone pod of it and an object that is newer than the list
    assembly.pods.take(pod(6))
    assembly.pods.take(pod(7), gone=True)
    assembly.changed(SESSIONS, thing("newer", 20, "u-2"), gone=False)
    await line(assembly)
    # when
    listing = Listing(assembly, SESSIONS)
    listing.take(thing("listed", 9, "u-3"))
    listing.listed({"u-3"}, 10)
    # then
    assert set(await line(assembly)) == {key("listed"), key("fix")}
    assert not assembly.caches[SESSIONS].holds("team-a", "fix", "u-1")
    assert assembly.caches[SESSIONS].holds("team-a", "newer", "u-2")
    assert len(assembly.pods) == 0
    # and an answer that comes late does not bring it back
    assembly.feed(SESSIONS, thing(version=11))
    assert not assembly.caches[SESSIONS].holds("team-a", "fix", "u-1")


# What answers to our own writes tell


async def test_our_own_status_is_no_news_to_the_object_but_to_who_waits_for_it(assembly: Assembly) -> None:
    assembly.feed(PROFILES, profile())
    assert set(await line(assembly)) == {key("waits"), key("elsewhere", namespace="team-b")}
    assert assembly.caches[PROFILES].holds("team-a", "coder", "f-1")
    assembly.changed(PROFILES, profile(), gone=False)  # the watch, later
    assert await line(assembly) == []


async def test_a_pod_that_we_just_created_is_known_but_no_news(assembly: Assembly) -> None:
    assembly.feed(PODS, pod())
    assert [one.uid for one in assembly.pods.of("u-1")] == ["p-1"]
    assert await line(assembly) == []


async def test_a_pod_of_ours_from_before_a_crash_is_news(assembly: Assembly) -> None:
    assembly.found(PODS, pod())
    assert [one.uid for one in assembly.pods.of("u-1")] == ["p-1"]
    assert await line(assembly) == [key("fix")]


async def test_a_policy_that_we_wrote_is_known_before_any_watch_tells(assembly: Assembly) -> None:
    assembly.feed(NETWORK_POLICIES, policy())
    assert assembly.policies.spec("team-a", "stint-agents") == {"podSelector": {}}


async def test_other_answers_are_let_go(assembly: Assembly) -> None:
    assembly.feed(CLAIMS, thing("claim"))
    assembly.found(CLAIMS, thing("claim"))
    assembly.missing(CLAIMS, "p-1")
    assert len(assembly.pods) == 0
    assert await line(assembly) == []


def test_a_pod_that_cannot_be_deleted_because_it_is_gone_is_taken_for_gone_after_a_while() -> None:
    async def scenario(started: Started) -> tuple[bool, bool, list[Key]]:
        assembly = started.assembly
        assembly.changed(SESSIONS, thing(version=5), gone=False)
        assembly.pods.take(pod(6))
        await line(assembly)
        assembly.missing(PODS, "p-1")
        await asyncio.sleep(MISSING_PATIENCE - 1)
        [before] = assembly.pods.of("u-1")
        await asyncio.sleep(2)
        [after] = assembly.pods.of("u-1")
        return before.gone, after.gone, await line(assembly)

    assert with_assembly(scenario) == (False, True, [key("fix")])
