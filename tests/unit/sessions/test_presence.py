"""Whether Secrets and ConfigMaps exist: asked once per object and time span, however many sessions want to know."""

from __future__ import annotations

import asyncio

import pytest

from stint.kube.errors import Unreachable
from stint.kube.resources import Resource
from stint.sessions.presence import PresenceChecks
from stint.sessions.references import Reference
from unit.sessions.builders import NAMESPACE, NOW, ahead
from unit.sessions.kit import Cluster

KEY, WHOLE, OTHER = Reference("Secret", "anthropic", "api-key"), Reference("Secret", "anthropic", None), Reference("Secret", "anthropic", "other")
MAP = Reference("ConfigMap", "texts", "prompt")
SECRET_PLACE = ("secrets", NAMESPACE, "anthropic")


def checks(cluster: Cluster, seconds: float = 60) -> PresenceChecks:
    return PresenceChecks(cluster, seconds)


async def test_an_object_is_there_with_its_keys_or_without_or_not_at_all() -> None:
    found = await checks(Cluster(anthropic={"api-key": ""})).check(NAMESPACE, [KEY, WHOLE, OTHER, MAP], NOW)
    assert found == {KEY: "there", WHOLE: "there", OTHER: "key missing", MAP: "object missing"}


async def test_config_maps_may_hold_binary_data_and_nothing() -> None:
    cluster = Cluster()
    cluster.objects["configmaps", NAMESPACE, "texts"] = {"data": None, "binaryData": {"prompt": ""}}
    assert await checks(cluster).check(NAMESPACE, [MAP], NOW) == {MAP: "there"}
    cluster.objects["configmaps", NAMESPACE, "empty"] = {}
    empty = Reference("ConfigMap", "empty", "x")
    assert await checks(cluster).check(NAMESPACE, [empty], NOW) == {empty: "key missing"}


async def test_nothing_is_asked_about_nothing() -> None:
    cluster = Cluster()
    assert await checks(cluster).check(NAMESPACE, [], NOW) == {}
    assert cluster.asked == []


async def test_what_is_there_is_asked_for_once_in_a_span() -> None:
    cluster = Cluster(anthropic={"api-key": ""})
    presence = checks(cluster)
    await presence.check(NAMESPACE, [KEY, WHOLE], NOW)
    await presence.check(NAMESPACE, [KEY], ahead(59))
    assert cluster.asked == [SECRET_PLACE]
    await presence.check(NAMESPACE, [KEY], ahead(60))
    assert cluster.asked == [SECRET_PLACE] * 2


@pytest.mark.parametrize(("span", "again"), [(60, 1), (1.5, 0.75)])
async def test_what_is_missing_is_asked_for_again_soon(span: float, again: float) -> None:
    cluster = Cluster()
    presence = checks(cluster, span)
    assert await presence.check(NAMESPACE, [KEY], NOW) == {KEY: "object missing"}
    cluster.objects[SECRET_PLACE] = {"data": {"api-key": ""}}
    assert await presence.check(NAMESPACE, [KEY], ahead(again - 0.1)) == {KEY: "object missing"}
    assert await presence.check(NAMESPACE, [KEY], ahead(again)) == {KEY: "there"}
    assert len(cluster.asked) == 2


async def test_a_key_that_is_missing_is_asked_for_again_soon_though_others_are_there() -> None:
    cluster = Cluster(anthropic={"api-key": ""})
    presence = checks(cluster)
    assert await presence.check(NAMESPACE, [KEY, OTHER], NOW) == {KEY: "there", OTHER: "key missing"}
    cluster.objects[SECRET_PLACE] = {"data": {"api-key": "", "other": ""}}
    assert await presence.check(NAMESPACE, [KEY, OTHER], ahead(0.9)) == {KEY: "there", OTHER: "key missing"}
    assert await presence.check(NAMESPACE, [OTHER], ahead(1)) == {OTHER: "there"}
    assert len(cluster.asked) == 2


async def test_each_namespace_has_its_own_objects() -> None:
    cluster = Cluster(anthropic={"api-key": ""})
    presence = checks(cluster)
    assert await presence.check(NAMESPACE, [KEY], NOW) == {KEY: "there"}
    assert await presence.check("team-b", [KEY], NOW) == {KEY: "object missing"}


class Slow(Cluster):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(anthropic={"api-key": ""})
        self.go_on = asyncio.Event()
        self.broken = False

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, object]:
        found = await super().get(resource, namespace, name)
        await self.go_on.wait()
        if self.broken:
            raise Unreachable("503")
        return found


async def test_a_thousand_sessions_that_ask_at_once_ask_once() -> None:
    cluster = Slow()
    presence = checks(cluster)
    waiting = [asyncio.create_task(presence.check(NAMESPACE, [KEY], NOW)) for _ in range(1000)]
    cluster.go_on.set()
    assert await asyncio.gather(*waiting) == [{KEY: "there"}] * 1000
    assert cluster.asked == [SECRET_PLACE]


async def test_one_that_stops_waiting_does_not_stop_the_others() -> None:
    cluster = Slow()
    presence = checks(cluster)
    first, second = (asyncio.create_task(presence.check(NAMESPACE, [KEY], NOW)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    cluster.go_on.set()
    assert await second == {KEY: "there"}


async def test_an_api_server_that_does_not_answer_is_asked_again_next_time() -> None:
    cluster = Slow()
    cluster.broken = True
    cluster.go_on.set()
    presence = checks(cluster)
    with pytest.raises(Unreachable):
        await presence.check(NAMESPACE, [KEY], NOW)
    cluster.broken = False
    assert await presence.check(NAMESPACE, [KEY], NOW) == {KEY: "there"}


async def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    presence = checks(Cluster())
    for number in range(100):
        await presence.check(NAMESPACE, [Reference("ConfigMap", f"of-session-{number}", None)], ahead(number))
    assert len(presence._known) <= 62
