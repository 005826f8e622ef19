"""The controller process put together: caches, queue, workers, and who feeds whom.

::

    Kopf: profiles, providers ──▶ changed() ──┐                             ┌──▶ act ──▶ API server
    informers: sessions       ──▶ changed() ──┼─▶ caches ─▶ queue ─▶ workers┤
               pods, policies ──▶ stores    ──┘     ▲                       └──▶ answers
                                                    └───────── feed() ◀───────────┘
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from functools import partial
from typing import Any

import kopf

from stint.accounting import Accounting, budget_key
from stint.budgets.kind import BUDGETS, Budgets
from stint.certificates.keeper import keep_certificate
from stint.engine.cache import ObjectCache
from stint.engine.controller import Clock, Controller, Kind, utc_now
from stint.engine.keys import Key
from stint.engine.queue import WorkQueue
from stint.engine.waiters import Waiters
from stint.kube.client import KubeClient
from stint.kube.errors import ApiError, NotFound, Unreachable
from stint.kube.informer import Informer, list_all
from stint.kube.resources import CONFIG_MAPS, NAMESPACES, NETWORK_POLICIES, PODS, Resource
from stint.profiles.kind import PROFILES, Profiles
from stint.providers.kind import PROVIDERS, Providers
from stint.sessions.desk import Desk
from stint.sessions.expiry import SESSIONS
from stint.sessions.kind import Sessions
from stint.sessions.names import POD_SELECTOR, POLICY_SELECTOR
from stint.sessions.observe import World
from stint.sessions.pod_store import PodStore
from stint.sessions.policy_store import PolicyStore
from stint.sessions.presence import PresenceChecks
from stint.settings import Settings
from stint.telemetry.health import Health

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

    def __init__(self, settings: Settings, client: KubeClient | None = None, clock: Clock = utc_now) -> None:
        self.settings = settings
        self._clock = clock
        self.client = client or KubeClient()
        self.queue = WorkQueue()
        self.waiters = Waiters()
        self.caches = {resource: ObjectCache(kind) for resource, kind in KINDS.items()}
        self.pods = PodStore(partial(self.queue.add, bookkeeping=True), self.caches[SESSIONS].holds)
        self.policies = PolicyStore()
        presence = PresenceChecks(self.client, settings.reference_recheck_seconds)
        sessions, profiles, providers, budgets = (self.caches[resource] for resource in KINDS)
        world = World(self.client, sessions, profiles, providers, self.pods, presence, self.policies, settings)
        desk = Desk(settings.system_namespace, self.queue.add, lambda budget: self.queue.add(budget_key(budget)), clock)
        self.accounting = Accounting(world, budgets, self.queue, desk, clock)
        self.informers = (
            Informer(self.client, SESSIONS, Listing(self, SESSIONS)),
            Informer(self.client, PODS, self.pods, selector=POD_SELECTOR),
            Informer(self.client, NETWORK_POLICIES, self.policies, selector=POLICY_SELECTOR),
            Informer(self.client, BUDGETS, Listing(self, BUDGETS)),
            Informer(self.client, NAMESPACES, self.accounting),
        )
        kinds: list[Kind] = [
            Sessions(world, self.waiters, desk),
            Profiles(profiles),
            Providers(providers, presence, settings),
            Budgets(budgets, desk.admissions),
        ]
        self.controller = Controller(self.client, self.queue, self, kinds, clock)
        self.filled = False
        self.health = Health(lambda: self.filled, lambda: len(self.queue) if self.filled else 0, lambda: self.controller.last_progress)
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
        self._wake(key)

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
        elif resource == BUDGETS:
            self.accounting.budget_gone(key)

    def _wake(self, key: Key) -> None:
        self.queue.add(key)
        self._wake_waiters(key)

    def _wake_waiters(self, key: Key) -> None:
        for waiter in self.waiters.of(key.kind, key.name):
            self.queue.add(waiter)

    async def run(self) -> None:
        """Fill the caches, then work until cancelled. Nothing is decided before everything has been listed."""
        async with asyncio.TaskGroup() as group:
            for informer in self.informers:
                group.create_task(self._inform(informer))
            for resource in WATCHED_BY_KOPF:
                await self._fill(resource)
            for informer in self.informers:
                await informer.synced.wait()
            await self.accounting.open()
            gc.collect()
            gc.freeze()  # what is listed at the start stays: the collector need not look at it again
            self.filled = True
            self.controller.last_progress = time.monotonic()
            log.info("caches filled: %d sessions, %d pods; %d workers start", len(self.caches[SESSIONS]), len(self.pods), self.settings.workers)
            group.create_task(self._resync())
            if self.settings.keep_certificate:
                group.create_task(keep_certificate(self.client, self.settings.system_namespace, self._clock))
            await self.controller.run(self.settings.workers)

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
        """List everything of one kind; an API server that does not answer is waited for."""
        while True:
            try:
                await list_all(self.client, resource, Listing(self, resource))
            except NotFound as missing:
                raise _not_installed(resource) from missing
            except (Unreachable, ApiError) as failure:
                log.warning("listing %s: %s; trying again in %.0f s", resource.plural, failure, FILL_RETRY)
                await asyncio.sleep(FILL_RETRY)
            else:
                return

    def start(self) -> None:
        """Begin in the background; a failure ends the process, so that it starts anew."""
        self._task = asyncio.create_task(self.run(), name="stint controller")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Cancel everything and wait for it: tasks left behind would delay the shutdown by five seconds."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.queue.close()
        self.client.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.failure = task.exception()
            log.critical("the controller failed; the process ends and starts anew", exc_info=self.failure)
        self.stop_flag.set()


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
