"""The route table: which handlers there are, and what each passes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import kopf
import pytest
from kopf._core.intents.causes import Activity

from stint import main
from stint.assembly import Assembly
from stint.kube.client import KubeClient
from stint.kube.resources import Resource
from stint.profiles.kind import PROFILES
from stint.providers.kind import PROVIDERS
from stint.settings import Settings


class Runner:
    async def cleanup(self) -> None:
        calls.append("probes end")


class HealthServer:
    async def start(self, port: int) -> Runner:
        calls.append(f"probes on {port}")
        return Runner()


calls: list[str] = []
handlers: Any = main
"""Kopf types handlers by all that it may pass to them; these take what they need."""


@dataclass
class Memo:
    """In place of the assembly."""

    settings: Settings = field(default_factory=lambda: Settings(port=8123))
    health: HealthServer = field(default_factory=HealthServer)
    client: KubeClient = field(default_factory=KubeClient)
    health_server: Runner | None = None
    changes: list[tuple[Resource, str, bool]] = field(default_factory=list)

    def start(self) -> None:
        calls.append("start")

    async def stop(self) -> None:
        calls.append("stop")

    def changed(self, resource: Resource, item: dict[str, Any], gone: bool) -> None:
        self.changes.append((resource, item["metadata"]["name"], gone))


@pytest.fixture
async def memo() -> Memo:
    calls.clear()
    return Memo()


@pytest.fixture
def thresholds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    asked: list[tuple[int, ...]] = []

    class Collector:
        @staticmethod
        def set_threshold(*figures: int) -> None:
            asked.append(figures)

    monkeypatch.setattr(main, "gc", Collector)
    return asked


def test_kopf_only_listens_and_not_to_sessions() -> None:
    """No create, update, timer or daemon handlers: each of those costs writes. Sessions have an informer of our own."""
    registry = main.registry
    watching = registry._watching.get_all_handlers()
    assert {(handler.selector.group, handler.selector.version, handler.selector.any_name) for handler in watching if handler.selector} == {
        ("stint.dev", "v1alpha1", "agentprofiles"), ("stint.dev", "v1alpha1", "modelproviders"),
    }  # fmt: skip
    assert len(watching) == 2
    for others in (registry._changing, registry._spawning, registry._indexing, registry._webhooks):
        assert list(others.get_all_handlers()) == []
    assert {handler.activity for handler in registry._activities.get_all_handlers()} == {
        Activity.STARTUP, Activity.AUTHENTICATION, Activity.CLEANUP,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("handler", "resource"),
    [(handlers.profile_changed, PROFILES), (handlers.provider_changed, PROVIDERS)],
    ids=["profile", "provider"],
)
@pytest.mark.parametrize(("kind", "gone"), [(None, False), ("ADDED", False), ("MODIFIED", False), ("DELETED", True)])
async def test_every_event_is_passed_on_to_the_caches(handler: Any, resource: Resource, kind: str | None, gone: bool, memo: Memo) -> None:
    await handler(event={"type": kind, "object": {"metadata": {"name": "x"}}}, memo=memo, logger=None)
    assert memo.changes == [(resource, "x", gone)]


async def test_at_the_start_probes_are_answered_before_work_begins(memo: Memo, thresholds: list[tuple[int, ...]]) -> None:
    settings = kopf.OperatorSettings()
    await handlers.startup(settings=settings, memo=memo)
    assert calls == ["probes on 8123", "start"]
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert len(thresholds) == 1


async def test_at_the_end_work_stops_before_the_probes(memo: Memo) -> None:
    memo.health_server = Runner()
    await handlers.cleanup(memo=memo)
    assert calls == ["stop", "probes end"]


async def test_the_login_is_shared_with_our_client(memo: Memo, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, asked = kopf.OperatorSettings(), []

    async def login(client: KubeClient, given: kopf.OperatorSettings) -> str:
        asked.append((client, given))
        return "session"

    monkeypatch.setattr(main, "login", login)
    assert await handlers.sign_in(settings=settings, memo=memo) == "session"
    assert asked == [(memo.client, settings)]


@pytest.mark.parametrize(("failure", "code"), [(None, 0), (RuntimeError("broken"), 1)])
async def test_the_process_says_whether_it_was_told_to_stop_or_has_failed(
    failure: Exception | None, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    async def operator(*, memo: Assembly, **options: Any) -> None:
        given.update(options, memo=memo)
        memo.failure = failure

    monkeypatch.setattr(main, "read_settings", lambda: Settings(port=8123))
    monkeypatch.setattr(kopf, "operator", operator)
    assert await main.controller() == code
    memo = given.pop("memo")
    assert memo.settings.port == 8123
    assert given == {"registry": main.registry, "clusterwide": True, "standalone": True, "stop_flag": memo.stop_flag}
