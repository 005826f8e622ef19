"""Looking up a ModelProvider and its Secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from simulation.metrics_kit import Grown
from stint.engine.cache import ObjectCache
from stint.engine.keys import Key
from stint.engine.plan import Plan
from stint.kube.errors import Unreachable
from stint.kube.resources import Resource
from stint.providers.kind import PROVIDERS, Providers
from stint.providers.passage import Passage
from stint.providers.scope import Credential
from stint.providers.traffic import Traffic
from stint.providers.window import Window, WindowStatus
from stint.sessions.presence import PresenceChecks
from stint.settings import Settings
from unit.cluster_kit import Json, SmallCluster
from unit.engine.kit import thing

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SPEC = {"credential": {"secretRef": {"name": "claude", "key": "token"}}}


class Bench:
    """Providers of a small cluster."""

    def __init__(self, client: SmallCluster | None = None) -> None:
        self.cluster = client or SmallCluster()
        self.cache = ObjectCache("ModelProvider")
        self.woken: list[Key] = []
        settings = Settings(system_namespace="stint-system", reference_recheck_seconds=30)
        self.traffic = Traffic(self.cache, "stint-system", self.woken.append, lambda: NOW)
        self.providers = Providers(self.cache, PresenceChecks(self.cluster, 30), settings, self.traffic)

    def put(self, namespace: str = "team-a", spec: Any = SPEC, **meta: Any) -> Key:
        item = thing("default", 7, "m-1", namespace, apiVersion="stint.dev/v1alpha1", kind="ModelProvider", spec=spec)
        item["metadata"] |= {"generation": 4, **meta}
        self.cache.put(item)
        return Key("ModelProvider", namespace, "default")

    async def ready(self, key: Key) -> tuple[str, str]:
        look = await self.providers.look(key, NOW, None)
        assert look is not None
        assert look.plan.status is not None
        [condition] = [one for one in look.plan.status["conditions"] if one["type"] == "Ready"]
        return condition["reason"], condition["message"]


async def test_the_secret_is_looked_for_in_the_providers_own_namespace() -> None:
    bench = Bench()
    key = bench.put()
    bench.cluster.items["secrets"] = [thing("claude", namespace="team-b", data={"token": "eA=="})]
    assert (await bench.ready(key))[0] == "SecretMissing"
    bench = Bench()
    bench.put()
    bench.cluster.items["secrets"] = [thing("claude", data={"token": "eA=="})]
    assert await bench.ready(key) == ("CredentialFound", "key token of Secret claude is there")


async def test_a_secret_without_the_key_is_told_apart_from_none() -> None:
    bench = Bench()
    bench.cluster.items["secrets"] = [thing("claude", data={"other": "eA=="})]
    assert (await bench.ready(bench.put()))[0] == "SecretKeyMissing"


async def test_in_the_system_namespace_it_serves_everybody() -> None:
    bench = Bench()
    assert (await bench.ready(bench.put("stint-system")))[0] == "Shared"


async def test_a_provider_that_the_models_cannot_read_is_invalid_and_no_secret_is_asked_for() -> None:
    bench = Bench()
    key = bench.put(spec={"type": "Other"})
    reason, message = await bench.ready(key)
    assert reason == "InvalidSpec"
    assert message.startswith("spec.type: ")


async def test_what_is_looked_at_is_the_object_as_the_cache_holds_it() -> None:
    bench = Bench()
    look = await bench.providers.look(bench.put(), NOW, None)
    assert look is not None
    assert (look.target.resource, look.target.kind, look.target.api_version) == (PROVIDERS, "ModelProvider", "stint.dev/v1alpha1")
    assert look.target.meta["resourceVersion"] == "7"
    assert look.plan.status is not None
    assert look.plan.status["observedGeneration"] == 4
    assert look.plan.look_again == NOW + timedelta(seconds=30)


async def test_there_is_nothing_to_do_for_what_is_not_there() -> None:
    assert await Bench().providers.look(Key("ModelProvider", "team-a", "default"), NOW, None) is None


async def test_a_provider_whose_deletion_somebody_holds_up_still_says_whose_turn_it_is() -> None:
    bench = Bench()
    assert await bench.providers.look(bench.put(deletionTimestamp="2026-11-21T12:00:00Z"), NOW, None) is not None


async def test_an_api_server_out_of_reach_says_nothing_about_the_secret() -> None:
    class Away(SmallCluster):
        async def get(self, resource: Resource, namespace: str, name: str) -> Json:
            raise Unreachable("lost")

    bench = Bench(Away())
    with pytest.raises(Unreachable):
        await bench.providers.look(bench.put(), NOW, None)


def test_a_vanished_provider_is_forgotten_but_not_its_successor() -> None:
    bench = Bench()
    key = bench.put()
    bench.providers.vanished(key, "m-0")
    assert len(bench.cache) == 1
    bench.providers.vanished(key, "m-1")
    assert len(bench.cache) == 0


def told(bench: Bench, status: str, full: int, uid: str = "u") -> None:
    window = Window("FiveHour", cast(WindowStatus, status), full, NOW + timedelta(hours=1), NOW)
    provider = Key("ModelProvider", "team-a", "default")
    passage = Passage(provider, Key("AgentSession", "team-a", uid), uid, 1, "claude-x", Credential("team-a", "claude"), 0, NOW)
    bench.traffic.tell(passage, [window], NOW)


async def look(bench: Bench, key: Key, seconds: float, *, version: int = 0) -> Plan:
    """One look; the status is written, if a version is given."""
    now = NOW + timedelta(seconds=seconds)
    found = await bench.providers.look(key, now, None)
    assert found is not None
    if version:
        bench.cache.put({**found.target.item, "metadata": {**found.target.item["metadata"], "resourceVersion": str(version)}, "status": found.plan.status})
    return found.plan


def windows(plan: Plan) -> list[int]:
    assert plan.status is not None
    return [one["utilization"] for one in plan.status.get("windows", [])]


async def test_windows_are_written_at_most_every_five_seconds_and_only_for_something_that_matters() -> None:
    bench = Bench()
    key = bench.put()
    told(bench, "Allowed", 10)
    assert windows(await look(bench, key, 0, version=8)) == [10]
    told(bench, "Allowed", 12)
    assert windows(await look(bench, key, 60)) == [10]
    told(bench, "Allowed", 40)
    assert windows(await look(bench, key, 61, version=9)) == [40]
    told(bench, "Warning", 91)
    early = await look(bench, key, 63)
    assert (windows(early), early.look_again) == ([40], NOW + timedelta(seconds=66))
    assert windows(await look(bench, key, 66)) == [91]


async def test_a_write_that_came_to_nothing_is_made_up_for() -> None:
    bench = Bench()
    key = bench.put()
    told(bench, "Allowed", 10)
    assert windows(await look(bench, key, 0)) == [10]
    assert windows(await look(bench, key, 1)) == []
    assert windows(await look(bench, key, 5)) == [10]


async def test_a_circuit_is_written_at_once_and_looked_at_when_it_may_be_tried() -> None:
    bench = Bench()
    key = bench.put()
    passage = Passage(key, Key("AgentSession", "team-a", "a"), "a", 1, "claude-x", Credential("team-a", "claude"), 0, NOW)
    bench.traffic.learn(passage, "AuthFailed", NOW, NOW)
    assert bench.woken == [key]
    plan = await look(bench, key, 0)
    assert plan.status is not None
    [circuit] = plan.status["circuits"]
    assert (circuit["scope"], circuit["state"], circuit["reason"]) == ("Credential", "Open", "AuthFailed")
    assert [event.reason for event in plan.events] == ["CircuitOpen"]
    assert plan.look_again == NOW + timedelta(seconds=30)


async def test_a_provider_that_cannot_be_read_keeps_what_it_has() -> None:
    bench = Bench()
    key = bench.put(spec={"breaker": {"failures": "many"}})
    item = bench.cache.get("team-a", "default")
    assert item is not None
    kept = {"circuits": [{"scope": "Provider", "state": "Open", "since": "2026-11-21T12:00:00Z"}]}
    bench.cache.put({**item, "metadata": {**item["metadata"], "resourceVersion": "8"}, "status": kept})
    plan = await look(bench, key, 0)
    assert plan.status is not None
    assert plan.status["circuits"] == kept["circuits"]


async def test_a_change_of_a_circuit_is_counted_though_a_watch_tells_of_it_before_the_answer_comes() -> None:
    # given
    bench, grown = Bench(), Grown()
    key = bench.put()
    passage = Passage(key, Key("AgentSession", "team-a", "a"), "a", 1, "claude-x", Credential("team-a", "claude"), 0, NOW)
    bench.traffic.learn(passage, "AuthFailed", NOW, NOW)
    look = await bench.providers.look(key, NOW, None)
    assert look is not None
    assert look.plan.status is not None
    # when
    bench.cache.put(look.target.item | {"metadata": look.target.meta | {"resourceVersion": "8"}, "status": look.plan.status})
    look.witness.written(look.plan.status)
    # then
    assert grown.all("stint_circuit_transitions_total") == {("team-a/default", "Open"): 1}
