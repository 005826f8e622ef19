"""The route table: every Kopf handler of the controller, a line or two each.

Only ``on.event``: no create, update, timer or daemon handlers, because each of those costs writes (docs/decisions/0001-kopf-only-listens.md).
"""

from __future__ import annotations

import gc
from typing import Any

import kopf

from stint.assembly import Assembly, kopf_settings
from stint.kube.login import login
from stint.profiles.kind import PROFILES
from stint.providers.kind import PROVIDERS
from stint.settings import settings as read_settings

registry = kopf.OperatorRegistry()
GROUP, VERSION = "stint.dev", "v1alpha1"


@kopf.on.startup(registry=registry)
async def startup(settings: kopf.OperatorSettings, memo: Any, **_: Any) -> None:
    kopf_settings(settings)
    gc.set_threshold(100_000, 50, 100)
    memo.health_server = await memo.health.start(memo.settings.port)
    memo.start()


@kopf.on.login(registry=registry)
async def sign_in(settings: kopf.OperatorSettings, memo: Any, **_: Any) -> kopf.AiohttpSession:
    return await login(memo.client, settings)


@kopf.on.event(GROUP, VERSION, "agentprofiles", registry=registry)
async def profile_changed(event: kopf.RawEvent, memo: Any, **_: Any) -> None:
    memo.changed(PROFILES, event["object"], gone=event["type"] == "DELETED")


@kopf.on.event(GROUP, VERSION, "modelproviders", registry=registry)
async def provider_changed(event: kopf.RawEvent, memo: Any, **_: Any) -> None:
    memo.changed(PROVIDERS, event["object"], gone=event["type"] == "DELETED")


@kopf.on.cleanup(registry=registry)
async def cleanup(memo: Any, **_: Any) -> None:
    await memo.stop()
    await memo.health_server.cleanup()


async def controller() -> int:
    """Run the controller until it is told to stop (0) or has failed (1)."""
    assembly = Assembly(read_settings())
    await kopf.operator(registry=registry, memo=assembly, clusterwide=True, standalone=True, stop_flag=assembly.stop_flag)
    return 1 if assembly.failure else 0
