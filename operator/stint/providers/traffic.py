"""Where sessions ask whether their provider may be asked: the circuits and windows of all providers, in memory.

Rebuilt at the start from the status of the providers and the history of the sessions; what changes is written into the provider's status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from stint.api.base import InvalidObject
from stint.api.provider import ModelProvider
from stint.engine.cache import ObjectCache
from stint.engine.keys import Key
from stint.providers.circuit import GOOD, Breaker, Outcome
from stint.providers.passage import Blocked, Passage
from stint.providers.road import Road
from stint.providers.status import read_breaker, read_circuits, read_windows
from stint.providers.window import Window, current, differs

Clock = Callable[[], datetime]
WATCHED_RUNS = 3
"""So many attempts of a credential whose window warns are asked for their reports: the window is the same for all."""


class Traffic:
    """``look``: look at this key again, a session's or a provider's."""

    def __init__(self, providers: ObjectCache, system_namespace: str, look: Callable[[Key], None], clock: Clock) -> None:
        self._providers = providers
        self._system_namespace = system_namespace
        self._look = look
        self._clock = clock
        self._roads: dict[Key, Road] = {}
        self._passages: dict[str, Passage] = {}
        """Sessions that wait, try or run, by uid."""
        self._running: dict[str, None] = {}
        """Those that run, in the order in which they began."""
        self.wanted = asyncio.Event()
        """There may be somebody to ask: a circuit has changed, a window warns."""

    # Roads

    def road(self, key: Key) -> Road | None:
        """The provider's circuits and windows; None for one that is not there or cannot be read."""
        known = self._roads.get(key)
        if known is not None:
            return known
        item = self._providers.get(key.namespace, key.name)
        breaker = self._breaker(item) if item else None
        if item is None or breaker is None:
            return None
        status = item.get("status") or {}
        road = self._roads[key] = Road(key.name, breaker, read_circuits(status), read_windows(status))
        return road

    def roads(self) -> Iterator[tuple[Key, Road]]:
        """All providers that somebody has asked for: what metrics are made of."""
        yield from self._roads.items()

    def _breaker(self, item: Mapping[str, Any]) -> Breaker | None:
        try:
            return read_breaker(ModelProvider.read(item).spec, item["metadata"]["namespace"] == self._system_namespace)
        except InvalidObject:
            return None

    def provider_changed(self, key: Key, item: Mapping[str, Any]) -> None:
        """Its spec is another: new settings count at once, and what is open is tried again soon."""
        road, breaker = self._roads.get(key), self._breaker(item)
        if road is not None and breaker is not None:
            road.breaker = breaker
            road.try_soon(self._clock())
            self._publish(key, road)

    def provider_written(self, key: Key, item: Mapping[str, Any]) -> None:
        """Its status as it stands now."""
        road = self._roads.get(key)
        for uid in road.written(read_circuits(item.get("status") or {})) if road else ():
            if uid in self._passages:
                self._look(self._passages[uid].key)

    def provider_gone(self, key: Key) -> None:
        self._roads.pop(key, None)

    # What is heard of providers

    def learn(self, passage: Passage, kind: str, when: datetime, now: datetime) -> None:
        """An attempt says this about its provider, of this moment: `GOOD`, or a class of errors."""
        road = self.road(passage.provider)
        if road is not None:
            road.learn(passage.scopes, Outcome(kind, passage.uid, passage.attempt, passage.credential.namespace, min(when, now)), now)
            self._publish(passage.provider, road)

    def tell(self, passage: Passage, windows: Iterable[Window], now: datetime) -> None:
        """Rate-limit windows, as an attempt's gateway has heard of them."""
        road = self.road(passage.provider)
        if road is not None:
            road.tell(passage.credential, windows)
            if differs(road.published, current(road.windows, now)):
                self._look(passage.provider)
                self.wanted.set()

    def answered(self, uid: str, attempt: int) -> None:
        """The model has answered this attempt for the first time."""
        passage = self._passages.get(uid)
        if passage is not None and passage.attempt == attempt:
            now = self._clock()
            self.learn(passage, GOOD, now, now)

    def ended(self, passage: Passage, now: datetime) -> None:
        """The attempt is over, and all that it had to say was said."""
        self._know(passage, now)
        self._passages.pop(passage.uid, None)
        self._running.pop(passage.uid, None)
        self._release(passage.provider, passage.uid, now)

    def probes(self, passage: Passage) -> bool:
        """Whether this attempt is, or was, the one that tries an open circuit."""
        road = self._roads.get(passage.provider)
        return road is not None and road.probes(passage.uid, passage.attempt)

    # Who may start

    def blocked(self, passage: Passage, now: datetime) -> Blocked | None:
        """Why this attempt may not start now, or could not if it were tried again."""
        road = self.road(passage.provider)
        found = road.blocked(passage, now) if road else None
        if road is not None and road.changed:
            self._publish(passage.provider, road)
        return found

    def wait(self, passage: Passage, now: datetime) -> None:
        """It is blocked, and by nothing else."""
        road = self.road(passage.provider)
        self._know(passage, now)
        if road is not None:
            road.release(passage.uid, now)  # who waits for something else does not hold the others up
            road.join(passage)
            self._publish(passage.provider, road)
            if road.is_due(now):
                self._look(passage.provider)

    def enter(self, passage: Passage, now: datetime) -> bool:
        """It starts. False: not yet; it will be looked at again."""
        road = self.road(passage.provider)
        if road is None:
            return True
        self._know(passage, now)
        entered = road.enter(passage, now)
        self._publish(passage.provider, road)
        if not entered and road.blocked(passage, now) is not None:
            self._look(passage.key)
        return entered

    def runs(self, passage: Passage) -> None:
        """Its pod is there."""
        self._know(passage, self._clock())
        road = self._roads.get(passage.provider)
        if passage.uid not in self._running and road is not None and (road.probed_by(passage.uid) or road.warned(self._clock())):
            self.wanted.set()
        self._running[passage.uid] = None

    def _know(self, passage: Passage, now: datetime) -> None:
        """It goes this way now. Another provider may have taken the place of the one at which it stood before: there nobody has to wait for it."""
        before = self._passages.get(passage.uid)
        if before is not None and before.provider != passage.provider:
            self._release(before.provider, passage.uid, now)
        self._passages[passage.uid] = passage

    def withdraw(self, uid: str) -> None:
        """It is not to start now, for another reason, and has no pod."""
        self._passages.pop(uid, None)
        self._running.pop(uid, None)
        for key in list(self._roads):
            self._release(key, uid, self._clock())

    def _release(self, key: Key, uid: str, now: datetime) -> None:
        road = self._roads.get(key)
        if road is not None:
            road.leave(uid)
            if road.circuits:
                road.release(uid, now)
                self._publish(key, road)

    def tick(self, key: Key, now: datetime) -> Road | None:
        """Time has passed at this provider: those whose turn it is are looked at."""
        road = self.road(key)
        for uid in road.tick(now) if road else ():
            self._look(self._passages[uid].key)
        if road is not None and road.endpoint_asked(now):
            self.wanted.set()
        return road

    def _publish(self, key: Key, road: Road) -> None:
        if road.changed:
            self._look(key)
            self.wanted.set()

    # Whom to ask

    def to_ask(self, now: datetime) -> list[Passage]:
        """Attempts on whose live report something depends: those that try a circuit, and some of a credential whose window warns."""
        probes = [one.probe.uid for road in self._roads.values() for one in road.circuits.values() if one.probe is not None]
        found = {uid: self._passages[uid] for uid in probes if uid in self._running}
        left = {(key, whose): WATCHED_RUNS for key, road in self._roads.items() for whose in road.warned(now)}
        for uid in reversed(self._running) if left else ():
            passage = self._passages[uid]
            place = (passage.provider, passage.credential)
            if left.get(place, 0) > 0:
                left[place] -= 1
                found[uid] = passage
        return list(found.values())

    def endpoints_to_ask(self, now: datetime) -> list[Key]:
        """Providers whose endpoint the controller is to ask now, each once."""
        due = [key for key, road in self._roads.items() if road.endpoint_due(now)]
        for key in due:
            self._publish(key, self._roads[key])
        return due

    def endpoint_answered(self, key: Key, kind: str) -> None:
        road = self._roads.get(key)
        if road is not None:
            road.endpoint_answered(kind, self._clock())
            self._publish(key, road)

    # The start

    def begin(self, outcomes: Iterable[tuple[Passage, Outcome]], unsettled: Callable[[], Container[tuple[str, int]]]) -> None:
        """What the history of all sessions says, in any order: what happened before a circuit changed last does not count again.

        ``unsettled``: uid and number of the attempts that may be under way; a probe that is not among them tries no more.
        """
        now = self._clock()
        for passage, outcome in sorted(outcomes, key=lambda pair: (pair[1].at, pair[1].kind == GOOD)):
            road = self.road(passage.provider)
            if road is not None and outcome.at > now - timedelta(seconds=road.breaker.window):
                road.learn(passage.scopes, outcome, now)
        roads = [(key, road) for key in self._providers if (road := self.road(key)) is not None]
        probes = [(road, one.probe) for _, road in roads for one in road.circuits.values() if one.probe is not None]
        living = unsettled() if probes else ()
        for road, probe in probes:
            if (probe.uid, probe.attempt) not in living:
                road.release(probe.uid, now)
        for key, road in roads:
            self._publish(key, road)
