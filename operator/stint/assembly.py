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

from stint.api.base import InvalidObject
from stint.budgets.budget import Budget, BudgetKey, read_budget
from stint.budgets.kind import BUDGETS, Budgets
from stint.engine.cache import ObjectCache
from stint.engine.controller import Clock, Controller, Kind, utc_now
from stint.engine.keys import Key
from stint.engine.queue import WorkQueue
from stint.engine.waiters import Waiters
from stint.kube.client import KubeClient
from stint.kube.errors import ApiError, NotFound, Unreachable
from stint.kube.informer import Informer, list_all
from stint.kube.resources import NAMESPACES, NETWORK_POLICIES, PODS, Resource
from stint.profiles.kind import PROFILES, Profiles
from stint.providers.kind import PROVIDERS, Providers
from stint.sessions.desk import Desk
from stint.sessions.expiry import SESSIONS
from stint.sessions.kind import Sessions
from stint.sessions.names import POD_SELECTOR, POLICY_SELECTOR, SESSION_LABEL
from stint.sessions.observe import World, in_caches
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


class Namespaces:
    """The labels of namespaces, for budgets."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def take(self, item: dict[str, Any], gone: bool = False) -> None:
        meta, known = item["metadata"], self._assembly.desk.namespaces
        name, labels = meta["name"], meta.get("labels") or {}
        if gone:
            known.pop(name, None)
        elif known.get(name) != labels:
            known[name] = labels
            self._assembly.relabelled(name)

    def listed(self, uids: set[str], version: int) -> None:
        """One that has gone has no sessions any more."""


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
        self.desk = Desk(settings.system_namespace, self.queue.add, self._publish, clock)
        self.informers = (
            Informer(self.client, SESSIONS, Listing(self, SESSIONS)),
            Informer(self.client, PODS, self.pods, selector=POD_SELECTOR),
            Informer(self.client, NETWORK_POLICIES, self.policies, selector=POLICY_SELECTOR),
            Informer(self.client, BUDGETS, Listing(self, BUDGETS)),
            Informer(self.client, NAMESPACES, Namespaces(self)),
        )
        presence = PresenceChecks(self.client, settings.reference_recheck_seconds)
        sessions, profiles, providers = (self.caches[resource] for resource in (SESSIONS, PROFILES, PROVIDERS))
        self._world = World(self.client, sessions, profiles, providers, self.pods, presence, self.policies, settings)
        kinds: list[Kind] = [
            Sessions(self._world, self.waiters, self.desk),
            Profiles(profiles),
            Providers(providers, presence, settings),
            Budgets(self.caches[BUDGETS], self.desk.admissions),
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
                self._take_budget(item)
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
            if self.desk.open and resource == SESSIONS:
                self.desk.written(item)
            elif resource == BUDGETS:
                self._stands(item)
            self._wake_waiters(Key(self.caches[resource].kind, meta["namespace"], meta["name"]))
        elif resource == PODS:
            self.pods.take(item, ours=True)
            if self.desk.open:
                self._observe(Key("AgentSession", meta["namespace"], meta["labels"][SESSION_LABEL]))
        elif resource == NETWORK_POLICIES:
            self.policies.take(item)

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
            self.desk.gone(uid)
        elif resource == BUDGETS and self.desk.open:
            self.desk.admissions.remove_budget(BudgetKey(key.namespace, key.name), self._clock())

    def _take_budget(self, item: dict[str, Any]) -> None:
        """A budget was added or edited, or its status was written."""
        if not self.filled:
            return
        if not self.desk.open:
            self._open_desk()
            return
        budget = self._read_budget(item)
        if budget is not None:
            self.desk.admissions.put_budget(budget, self._clock(), item.get("status") or {})
            self._stands(item)

    def _open_desk(self) -> None:
        """From the first budget on, every session is counted."""
        now = self._clock()
        seen = (in_caches(self._world, key, now) for key in self.caches[SESSIONS])
        items = (self.caches[BUDGETS].get(key.namespace, key.name) or {} for key in self.caches[BUDGETS])
        budgets = ((self._read_budget(item), item.get("status") or {}) for item in items)
        self.desk.begin((each for each in seen if each is not None), ((budget, status) for budget, status in budgets if budget is not None))

    def _observe(self, key: Key) -> None:
        """An attempt of this session has a pod now."""
        seen = in_caches(self._world, key, self._clock())
        if seen is not None:
            self.desk.observe(seen)

    def _read_budget(self, item: dict[str, Any]) -> Budget | None:
        """None for one that cannot be read; the version that was read before, if any, goes on."""
        try:
            return read_budget(item)
        except InvalidObject as problem:
            log.error("RateBudget %s/%s is not enforced as it is now: %s", item["metadata"]["namespace"], item["metadata"]["name"], problem)
            return None

    def _stands(self, item: dict[str, Any]) -> None:
        """Raises `Superseded`, which ends the process: another one is the leader now."""
        meta = item["metadata"]
        self.desk.admissions.stands(BudgetKey(meta["namespace"], meta["name"]), item.get("status") or {}, self._clock())

    def _publish(self, budget: BudgetKey) -> None:
        self.queue.add(Key("RateBudget", budget.namespace, budget.name))

    def relabelled(self, namespace: str) -> None:
        """The labels of a namespace have changed: its sessions may count for other budgets."""
        if self.desk.open:
            for key in self.caches[SESSIONS]:
                if key.namespace == namespace:
                    self.queue.add(key)

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
            gc.collect()
            gc.freeze()  # what is listed at the start stays: the collector need not look at it again
            self.filled = True
            if len(self.caches[BUDGETS]):
                self._open_desk()
            self.controller.last_progress = time.monotonic()
            log.info("caches filled: %d sessions, %d pods; %d workers start", len(self.caches[SESSIONS]), len(self.pods), self.settings.workers)
            group.create_task(self._resync())
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
