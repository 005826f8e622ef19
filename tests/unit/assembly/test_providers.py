"""Providers in the assembly: their status is written often, and concerns no session that waits for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from simulation.pod_status import Json
from stint.assembly import Assembly
from stint.engine.keys import Key
from stint.providers.kind import PROVIDERS
from stint.providers.passage import Passage
from stint.providers.scope import Credential
from unit.assembly.kit import line
from unit.engine.kit import key, thing

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PROVIDER = Key("ModelProvider", "team-a", "default")
WAITS = key("waits")


def provider(version: int, *, generation: int = 1, uid: str = "m-1", status: Any = None, **spec: Any) -> Json:
    item = thing("default", version, uid, spec=spec, status=status or {})
    item["metadata"]["generation"] = generation
    return item


@pytest.fixture
async def waited(assembly: Assembly) -> Assembly:
    assembly.changed(PROVIDERS, provider(10), gone=False)
    assembly.waiters.wait(WAITS, {("ModelProvider", "default")})
    await line(assembly)
    return assembly


async def test_a_status_wakes_the_provider_alone(waited: Assembly) -> None:
    waited.changed(PROVIDERS, provider(11, status={"circuits": []}), gone=False)
    assert await line(waited) == [PROVIDER]
    waited.feed(PROVIDERS, provider(12, status={"circuits": []}))
    assert await line(waited) == []


@pytest.mark.parametrize("change", [{"generation": 2}, {"uid": "m-2"}], ids=["its spec has changed", "it is another one"])
async def test_a_change_of_the_spec_wakes_all_that_wait(waited: Assembly, change: Any) -> None:
    waited.changed(PROVIDERS, provider(11, **change), gone=False)
    assert set(await line(waited)) == {PROVIDER, WAITS}


async def test_its_circuits_go_with_it(waited: Assembly) -> None:
    passage = Passage(PROVIDER, WAITS, "u", 1, "claude-x", Credential("team-a", "anthropic"), 0, NOW)
    waited.traffic.learn(passage, "AuthFailed", NOW, NOW)
    assert len(list(waited.traffic.roads())) == 1
    waited.changed(PROVIDERS, provider(11), gone=True)
    assert list(waited.traffic.roads()) == []


async def test_the_endpoint_that_is_asked_is_that_of_its_spec(waited: Assembly) -> None:
    assert waited._endpoint(PROVIDER) == "https://api.anthropic.com"
    waited.changed(PROVIDERS, provider(11, generation=2, endpoint={"baseURL": "http://llm.models.svc"}), gone=False)
    assert waited._endpoint(PROVIDER) == "http://llm.models.svc"
    assert waited._endpoint(Key("ModelProvider", "team-a", "gone")) == ""
