"""The admission process put together: informers, certificate, answers. It holds no state that another replica would miss."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from stint.admission.answer import Answer, decision_of
from stint.admission.certificate import Certificate
from stint.admission.configuration import judge_budget, judge_profile, judge_provider
from stint.admission.known import Budgets, Copy, labels_of
from stint.admission.recent import Recent
from stint.admission.session import World, judge_session
from stint.api.profile import AgentProfile
from stint.api.provider import ModelProvider
from stint.budgets.kind import BUDGETS
from stint.engine.controller import Clock, utc_now
from stint.identity import Creator, annotations_of, kept_groups, kept_stamps, stamps
from stint.kube.client import KubeClient
from stint.kube.informer import Informer
from stint.kube.resources import NAMESPACES
from stint.profiles.kind import PROFILES
from stint.providers.kind import PROVIDERS
from stint.sessions.names import FINALIZER
from stint.settings import Settings
from stint.telemetry import metrics
from stint.telemetry.admission import admission_decided
from stint.telemetry.exposition import metrics_route

log = logging.getLogger(__name__)
Item = dict[str, Any]
KINDS = {"agentsession": "AgentSession", "ratebudget": "RateBudget", "agentprofile": "AgentProfile", "modelprovider": "ModelProvider"}
"""What the validating handlers judge, by their ids. The creator's stamp is no decision."""


class Admission:
    """Everything that lives as long as the process."""

    def __init__(self, settings: Settings, client: KubeClient | None = None, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.client = client or KubeClient()
        self._clock = clock
        recent = Recent()
        self.world = World(
            system_namespace=settings.system_namespace,
            default_cost_limit=settings.default_cost_limit,
            profiles=Copy(lambda item: AgentProfile.read(item).spec),
            providers=Copy(lambda item: ModelProvider.read(item).spec),
            namespaces=Copy(labels_of),
            budgets=Budgets(recent, clock),
            recent=recent,
        )
        self.informers = (
            Informer(self.client, PROFILES, self.world.profiles),
            Informer(self.client, PROVIDERS, self.world.providers),
            Informer(self.client, NAMESPACES, self.world.namespaces),
            Informer(self.client, BUDGETS, self.world.budgets),
        )
        self.certificate = Certificate(self.client, settings.system_namespace, clock)
        self.filled = False
        self.listening = asyncio.Event()
        self.stop_flag = asyncio.Event()
        self.failure: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    # Answers

    def stamp(self, old: Mapping[str, Any] | None, namespace: str, userinfo: Mapping[str, Any]) -> dict[str, str | None]:
        """The annotations that say who created an object."""
        if old is not None:
            return kept_stamps(annotations_of(old))
        groups = kept_groups(userinfo.get("groups") or (), lambda: self.world.budgets.group_rank(self.world.system_namespace, namespace))
        return stamps(Creator(userinfo.get("username") or "", groups))

    def finalizers(self, old: Mapping[str, Any] | None, item: Mapping[str, Any]) -> list[str]:
        """The finalizers of an object that is replaced by a manifest, which does not know ours; empty where it is there, or was not."""
        before, after = ((each or {}).get("metadata", {}).get("finalizers") or [] for each in (old, item))
        return [*after, FINALIZER] if FINALIZER in before and FINALIZER not in after else []

    def session(self, item: Item, created: bool, dry_run: bool) -> Answer:
        """The answer to a session; one that is let in, and not only tried, counts until the budgets' status shows it."""
        now = self._clock()
        judged = judge_session(item, self.world, now, created=created)
        if not dry_run and judged.places:
            self.world.recent.note(f"{item['metadata']['namespace']}/{item['metadata'].get('name')}", judged.places, judged.request, now)
        return judged.answer

    def budget(self, item: Item) -> Answer:
        return judge_budget(item, self.world)

    def profile(self, item: Item) -> Answer:
        return judge_profile(item, self.world)

    def provider(self, item: Item) -> Answer:
        return judge_provider(item)

    def answered(self, handler: str, told: Mapping[str, Any] | None, seconds: float) -> None:
        """Every answer passes here, and is counted."""
        if handler in KINDS:
            admission_decided(KINDS[handler], *decision_of(told), seconds)

    # The process

    @property
    def problem(self) -> str:
        """Why it is not ready; empty when it is."""
        if not self.filled:
            return "the caches are not filled yet"
        return self.certificate.problem if self.listening.is_set() else "the webhook's port is not open yet"

    async def run(self) -> None:
        """Fill the caches and look after the certificate until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self.informers:
                group.create_task(informer.run())
            group.create_task(self.certificate.run())
            for informer in self.informers:
                await informer.synced.wait()
            gc.collect()
            gc.freeze()
            self.filled = True

    def start(self) -> None:
        """Begin in the background; a failure ends the process, so that it starts anew."""
        self._task = asyncio.create_task(self.run(), name="stint admission")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.client.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.failure = task.exception()
            log.critical("admission failed; the process ends and starts anew", exc_info=self.failure)
        self.stop_flag.set()

    async def serve_health(self, port: int) -> web.AppRunner:
        """``/healthz``: the event loop runs. ``/readyz``: the API server may ask. The caller cleans the runner up."""

        async def alive(_: web.Request) -> web.Response:
            return web.Response(text="ok\n")

        async def ready(_: web.Request) -> web.Response:
            problem = self.problem
            return web.Response(status=503 if problem else 200, text=f"{problem or 'ready'}\n")

        app = web.Application()
        app.add_routes([web.get("/healthz", alive), web.get("/readyz", ready), metrics_route(metrics.admission)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - probes come from the node
        return runner
