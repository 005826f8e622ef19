"""The controller process put together: caches, queue, workers, and who feeds whom.

::

    Kopf: profiles, providers ──▶ changed() ──┐                             ┌──▶ act ──▶ fence ──▶ API server
    informers: sessions       ──▶ changed() ──┼─▶ caches ─▶ queue ─▶ workers┤
               pods, policies ──▶ stores    ──┘     ▲                       └──▶ answers
                                                    └───────── feed() ◀───────────┘

Everything left of the workers runs in every replica. Workers run where the Lease is held, and nothing passes the fence anywhere else.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import kopf

from stint.accounting import Accounting, budget_key
from stint.api.provider import BASE_URL
from stint.budgets.gauges import BudgetGauges
from stint.budgets.kind import BUDGETS, Budgets
from stint.certificates.keeper import keep_certificate
from stint.engine.cache import Held, ObjectCache
from stint.engine.controller import Clock, Controller, Kind, utc_now
from stint.engine.fence import FencedClient
from stint.engine.gauges import QueueGauges
from stint.engine.keys import Key
from stint.engine.leadership import Leadership
from stint.engine.queue import WorkQueue
from stint.engine.waiters import Waiters
from stint.kube.client import KubeClient
from stint.kube.errors import ApiError, NotFound, Unreachable
from stint.kube.informer import Informer, list_all
from stint.kube.resources import CONFIG_MAPS, NAMESPACES, NETWORK_POLICIES, PODS, Resource
from stint.profiles.kind import PROFILES, Profiles
from stint.providers.gauges import ProviderGauges
from stint.providers.kind import PROVIDERS, Providers
from stint.providers.traffic import Traffic
from stint.providers.watch import Watch
from stint.sessions.census import SessionGauges, brief
from stint.sessions.desk import Desk
from stint.sessions.expiry import SESSIONS
from stint.sessions.kind import Sessions
from stint.sessions.live import LiveReports
from stint.sessions.names import POD_SELECTOR, POLICY_SELECTOR
from stint.sessions.observe import World
from stint.sessions.observed import settled_attempt
from stint.sessions.pod_store import PodStore
from stint.sessions.policy_store import PolicyStore
from stint.sessions.presence import PresenceChecks
from stint.sessions.remembered import remembered, unsettled
from stint.settings import Settings
from stint.telemetry import metrics
from stint.telemetry.exposition import metrics_route
from stint.telemetry.health import Health
from stint.telemetry.leader import WhileLeading, set_leader

log = logging.getLogger(__name__)

KINDS = {SESSIONS: "AgentSession", PROFILES: "AgentProfile", PROVIDERS: "ModelProvider", BUDGETS: "RateBudget"}
WATCHED_BY_KOPF = (PROFILES, PROVIDERS)
FILL_RETRY = 2.0  # seconds
RESYNC = 600.0  # seconds
MISSING_PATIENCE = 20.0  # seconds


class Listing:
    """A list or an informer of one of our kinds, as the caches take it in."""

    def __init__(self, assembly: Assembly, resource: Resource) -> None:
        self._assembly = assembly
        self._resource = resource

    def take(self, item: dict[str, Any], gone: bool = False) -> None:
        self._assembly.changed(self._resource, item, gone)

    def listed(self, uids: set[str], version: int) -> None:
        for key, uid in self._assembly.caches[self._resource].missing(uids, version):
            self._assembly.vanished(self._resource, key, uid)


class Assembly:
    """Everything that lives as long as the process."""

    def __init__(
        self, settings: Settings, client: KubeClient | None = None, clock: Clock = utc_now, leadership: Leadership | None = None
    ) -> None:
        self.settings = settings
        self._clock = clock
        self.client = client or KubeClient()
        self.leadership = leadership or Leadership(self.client, settings.system_namespace, clock)
        self.queue = WorkQueue()
        self.waiters = Waiters()
        self.caches = {resource: ObjectCache(kind) for resource, kind in KINDS.items()}
        self.caches[SESSIONS] = ObjectCache(KINDS[SESSIONS], brief)
        self.traffic = Traffic(self.caches[PROVIDERS], settings.system_namespace, self.queue.add, clock)
        self.pods = PodStore(partial(self.queue.add, bookkeeping=True), self.caches[SESSIONS].holds, self.traffic.answered)
        self.policies = PolicyStore()
        presence = PresenceChecks(self.client, settings.reference_recheck_seconds)
        sessions, profiles, providers, budgets = (self.caches[resource] for resource in KINDS)
        world = World(self.client, sessions, profiles, providers, self.pods, presence, self.policies, settings)
        desk = Desk(settings.system_namespace, self.queue.add, lambda budget: self.queue.add(budget_key(budget)), clock)
        self.accounting = Accounting(world, budgets, self.queue, desk, clock)
        self._world = world
        self.informers = (
            Informer(self.client, SESSIONS, Listing(self, SESSIONS)),
            Informer(self.client, PODS, self.pods, selector=POD_SELECTOR),
            Informer(self.client, NETWORK_POLICIES, self.policies, selector=POLICY_SELECTOR),
            Informer(self.client, BUDGETS, Listing(self, BUDGETS)),
            Informer(self.client, NAMESPACES, self.accounting),
        )
        kinds: list[Kind] = [
            Sessions(world, self.waiters, desk, self.traffic),
            Profiles(profiles),
            Providers(providers, presence, settings, self.traffic),
            Budgets(budgets, desk.admissions),
        ]
        self.watch = Watch(self.traffic, LiveReports(self.pods, self.traffic), clock, self._endpoint)
        self._fenced = FencedClient(self.client, self.leadership.check)
        self.controller = Controller(self._fenced, self.queue, self, kinds, clock)
        self.filled = False
        """Whether everything has been listed: from then on this replica may lead."""
        self.acting = False
        """Whether this replica leads and its workers run."""
        budget_gauges = BudgetGauges(desk.admissions, lambda: desk.open, clock)
        gauges = WhileLeading(SessionGauges(sessions, self.pods, clock), budget_gauges, ProviderGauges(self.traffic, clock), QueueGauges(self.queue))
        self.health = Health(
            ready=lambda: self.filled,
            waiting=lambda: len(self.queue) if self.acting else 0,
            last_progress=lambda: self.controller.last_progress,
            overdue=lambda: self.leadership.overdue,
            more=[metrics_route(metrics.controller, gauges)],
        )
        self.stop_flag = asyncio.Event()
        self.failure: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    def changed(self, resource: Resource, item: dict[str, Any], gone: bool) -> None:
        """An object of ours as a watch shows it."""
        cache, meta = self.caches[resource], item["metadata"]
        key = Key(cache.kind, meta["namespace"], meta["name"])
        before = cache.held(key.namespace, key.name)
        if gone:
            cache.drop(item)
            self._gone(resource, key, meta["uid"])
        elif not cache.put(item):
            return
        else:
            if before is not None and before.uid != meta["uid"]:  # nobody told of its end: a list shows no more than who took its place
                self._gone(resource, key, before.uid)
            if resource == BUDGETS:
                self.accounting.budget_changed(item)
            elif resource == SESSIONS and not self.acting:  # the leader has settled it; a standby must not keep for ever what its pods said
                self.pods.settled_up_to(meta["uid"], settled_attempt(item.get("status") or {}))
            elif resource == PROVIDERS and self._provider_changed(key, before, item):
                return
        self._wake(key)

    def _provider_changed(self, key: Key, before: Held | None, item: dict[str, Any]) -> bool:
        """Whether no more than its status has: that concerns none of the sessions that wait."""
        self.traffic.provider_written(key, item)
        known = before.parsed() if before is not None else None
        if known is None or known["metadata"]["uid"] != item["metadata"]["uid"]:
            return False
        if known["metadata"].get("generation") == item["metadata"].get("generation"):
            self.queue.add(key)
            return True
        self.traffic.provider_changed(key, item)
        return False

    def _endpoint(self, key: Key) -> str:
        """Where a provider is; empty for one that has gone."""
        item = self.caches[PROVIDERS].get(key.namespace, key.name)
        return str(item["spec"].get("endpoint", {}).get("baseURL", BASE_URL)) if item else ""

    def vanished(self, resource: Resource, key: Key, uid: str) -> None:
        """An object of ours that a list did not hold any more."""
        self.caches[resource].discard(key, uid)
        self._gone(resource, key, uid)
        self._wake(key)

    def feed(self, resource: Resource, item: dict[str, Any]) -> None:
        """An answer to one of our own writes: newer than any watch."""
        meta = item["metadata"]
        if resource in self.caches:
            self.caches[resource].put(item)
            if resource == SESSIONS:
                self.accounting.session_written(item)
            elif resource == BUDGETS:
                self.accounting.budget_written(item)
            elif resource == PROVIDERS:
                self.traffic.provider_written(Key(self.caches[resource].kind, meta["namespace"], meta["name"]), item)
                return
            self._wake_waiters(Key(self.caches[resource].kind, meta["namespace"], meta["name"]))
        elif resource == PODS:
            self.pods.take(item, ours=True)
            self.accounting.pod_created(item)
        elif resource == NETWORK_POLICIES:
            self.policies.take(item)
        elif resource == CONFIG_MAPS:
            self.accounting.part_written(item)

    def found(self, resource: Resource, item: dict[str, Any]) -> None:
        """An object of ours that we created before a crash."""
        if resource == PODS:
            self.pods.take(item)

    def missing(self, resource: Resource, uid: str) -> None:
        """An object that we wanted to delete and that is not there."""
        if resource == PODS:  # its DELETED event, with its last words, may be on its way
            asyncio.get_running_loop().call_later(MISSING_PATIENCE, self.pods.missing, uid)

    def _gone(self, resource: Resource, key: Key, uid: str) -> None:
        if resource == SESSIONS:
            self.pods.forget_session(uid)
            self.accounting.session_gone(uid)
            self.traffic.withdraw(uid)
        elif resource == BUDGETS:
            self.accounting.budget_gone(key)
        elif resource == PROVIDERS:
            self.traffic.provider_gone(key)

    def _wake(self, key: Key) -> None:
        self.queue.add(key)
        self._wake_waiters(key)

    def _wake_waiters(self, key: Key) -> None:
        for waiter in self.waiters.of(key.kind, key.name):
            self.queue.add(waiter)

    async def run(self) -> None:
        """Fill the caches, stand by, and lead until cancelled. Nothing is decided before everything has been listed, and nothing by a standby."""
        async with asyncio.TaskGroup() as group:
            for informer in self.informers:
                group.create_task(self._inform(informer))
            for resource in WATCHED_BY_KOPF:
                await self._fill(resource)
            for informer in self.informers:
                await informer.synced.wait()
            gc.collect()
            gc.freeze()  # what is listed at the start stays: the collector need not look at it again
            self.filled = True
            self.queue.rest()
            log.info("caches filled: %d sessions, %d pods", len(self.caches[SESSIONS]), len(self.pods))
            group.create_task(self._resync())
            group.create_task(self.leadership.run())
            await self.leadership.won.wait()
            await self._catch_up()
            await self.accounting.open()
            self.traffic.begin(remembered(self._world, self._clock()), partial(unsettled, self._world, self._clock()))
            gc.freeze()  # and so does the ledger
            self.acting = True
            self.queue.resume(key for resource in reversed(KINDS) for key in self.caches[resource])  # budgets first: sessions wait for them
            set_leader(True)
            self.controller.last_progress = time.monotonic()
            if self.settings.keep_certificate:
                group.create_task(keep_certificate(self._fenced, self.settings.system_namespace, self._clock))
            log.info("caches are up to date; %d workers start", self.settings.workers)
            group.create_task(self.watch.run())
            await self.controller.run(self.settings.workers)

    async def _catch_up(self) -> None:
        """What the former leader has done last may not have been told yet."""
        async with asyncio.TaskGroup() as group:
            for informer in self.informers:
                group.create_task(_insist(informer.catch_up, informer.resource))
            for resource in WATCHED_BY_KOPF:
                group.create_task(_insist(partial(list_all, self.client, resource, Listing(self, resource)), resource))

    async def _inform(self, informer: Informer) -> None:
        try:
            await informer.run()
        except NotFound as missing:
            raise _not_installed(informer.resource) from missing

    async def _resync(self) -> None:
        """Kopf does not tell of objects that vanished while a watch was down; a list now and then does."""
        while True:
            await asyncio.sleep(RESYNC)
            for resource in WATCHED_BY_KOPF:
                try:
                    await list_all(self.client, resource, Listing(self, resource))
                except (Unreachable, ApiError) as failure:
                    log.warning("listing %s again: %s", resource.plural, failure)

    async def _fill(self, resource: Resource) -> None:
        """List everything of one kind for the first time."""

        async def listed() -> None:
            try:
                await list_all(self.client, resource, Listing(self, resource))
            except NotFound as missing:
                raise _not_installed(resource) from missing

        await _insist(listed, resource)

    def start(self) -> None:
        """Begin in the background; a failure ends the process, so that it starts anew."""
        self._task = asyncio.create_task(self.run(), name="stint controller")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Cancel everything and wait for it: tasks left behind would delay the shutdown by five seconds. Then another replica may lead."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.leadership.release()
        self.queue.close()
        self.client.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.failure = task.exception()
            log.critical("the controller failed; the process ends and starts anew", exc_info=self.failure)
        self.stop_flag.set()


async def _insist(work: Callable[[], Awaitable[object]], resource: Resource) -> None:
    """An API server that does not answer is waited for."""
    while True:
        try:
            await work()
        except (Unreachable, ApiError) as failure:
            log.warning("listing %s: %s; trying again in %.0f s", resource.plural, failure, FILL_RETRY)
            await asyncio.sleep(FILL_RETRY)
        else:
            return


def _not_installed(resource: Resource) -> RuntimeError:
    return RuntimeError(f"the cluster does not know {resource.plural}.{resource.group}: install the CRDs (charts/stint)")


def kopf_settings(settings: kopf.OperatorSettings) -> None:
    """What Kopf must not do (docs/decisions/0001): it watches our kinds and nothing else."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = 0.5
    settings.queueing.worker_limit = None
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 300
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.enforce_retry_after = True
    settings.persistence.finalizer = "stint.dev/unused"
    settings.persistence.diffbase_storage = NoDiffs()
    settings.persistence.progress_storage = kopf.StatusProgressStorage(name="stint")
    settings.process.ultimate_exiting_timeout = 25


class NoDiffs(kopf.DiffBaseStorage):
    """Kopf computes a difference for every event, even when nobody asks for it: half of its CPU. There is none to compute."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: kopf.Body) -> Any:
        return {}

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: Any) -> None:
        return None
