"""Looking up a ModelProvider and its Secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stint.engine.cache import ObjectCache
from stint.engine.keys import Key
from stint.kube.errors import Unreachable
from stint.kube.resources import Resource
from stint.providers.kind import PROVIDERS, Providers
from stint.providers.traffic import Traffic
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
        traffic = Traffic(self.cache, "stint-system", self.woken.append, lambda: NOW)
        self.providers = Providers(self.cache, PresenceChecks(self.cluster, 30), settings, traffic)

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


async def test_there_is_nothing_to_do_for_what_is_not_there_or_is_being_deleted() -> None:
    bench = Bench()
    assert await bench.providers.look(Key("ModelProvider", "team-a", "default"), NOW, None) is None
    assert await bench.providers.look(bench.put(deletionTimestamp="2026-11-21T12:00:00Z"), NOW, None) is None


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
