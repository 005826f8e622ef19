"""What a listener is told, whatever becomes of the stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest

from simulation.virtual_time import VirtualLoop
from stint.kube.client import KubeClient
from stint.kube.errors import ApiError, Expired, NotFound, Unauthorized, Unreachable
from stint.kube.informer import CATCH_UP_PATIENCE, MAX_BACKOFF, Informer, list_all
from stint.kube.resources import PODS, Resource
from unit.engine.kit import Json, thing, virtual

Page = tuple[list[Json], str]
Event = tuple[str, Json]
GONE = Expired(410, "Expired", "too old")
Script = Event | Exception | None
END = None
"""The server closes the stream."""


class ScriptedWatch(KubeClient):
    """Lists and streams from a script; when it has run out, the last stream stays open and silent."""

    def __init__(self, clock: Callable[[], float], lists: list[list[Page] | Exception], streams: list[list[Script]]) -> None:
        super().__init__()
        self._clock, self._lists, self._streams = clock, lists, streams
        self.asked: list[tuple[str, str, float]] = []
        """What was asked for: ("list", selector, when) or ("watch", version, when)."""

    async def pages(
        self, resource: Resource, namespace: str | None = None, *, selector: str = "", chunk: int = 500
    ) -> AsyncIterator[tuple[list[Json], str]]:
        self.asked.append(("list", selector, round(self._clock(), 2)))
        answer = self._lists.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for page in answer:
            yield page

    async def watch(
        self, resource: Resource, *, version: str, selector: str = "", namespace: str | None = None, name: str = ""
    ) -> AsyncIterator[Event]:
        self.asked.append(("watch", version, round(self._clock(), 2)))
        for event in self._streams.pop(0) if self._streams else ():
            if event is None:
                return
            if isinstance(event, Exception):
                raise event
            yield event
        await asyncio.Event().wait()


class Copy:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool] | tuple[set[str], int]] = []

    def take(self, item: Json, gone: bool = False) -> None:
        self.told.append((item["metadata"]["name"], gone))

    def listed(self, uids: set[str], version: int) -> None:
        self.told.append((uids, version))


class Run:
    """An informer after some time."""

    def __init__(self, lists: list[list[Page] | Exception], *streams: list[Script], seconds: float = 100, selector: str = "") -> None:
        self.copy = Copy()

        async def scenario(loop: VirtualLoop) -> None:
            self.client = ScriptedWatch(loop.time, lists, list(streams))
            informer = Informer(self.client, PODS, self.copy, selector=selector)
            task = asyncio.create_task(informer.run())
            await asyncio.sleep(seconds)
            assert not task.done(), "the informer has ended"
            self.synced = informer.synced.is_set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        virtual(scenario)

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(what, which) for what, which, _ in self.client.asked]

    @property
    def pauses(self) -> list[float]:
        times = [when for _, _, when in self.client.asked]
        return [round(after - before, 2) for before, after in pairwise(times)]


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stint.kube.informer.random.uniform", lambda _low, high: high)


EMPTY: list[Page] = [([], "5")]


def test_everything_is_listed_then_every_change_is_told() -> None:
    run = Run(
        [[([thing("a", 1, "u-a")], "5"), ([thing("b", 2, "u-b")], "5")]],
        [("ADDED", thing("c", 6)), ("MODIFIED", thing("a", 7)), ("DELETED", thing("b", 8))],
        selector="x=y",
    )
    assert run.copy.told == [("a", False), ("b", False), ({"u-a", "u-b"}, 5), ("c", False), ("a", False), ("b", True)]
    assert run.client.asked == [("list", "x=y", 0), ("watch", "5", 0)]
    assert run.synced


def test_a_bookmark_is_no_news_but_the_next_watch_begins_there() -> None:
    run = Run([EMPTY], [("ADDED", thing("a", 6)), ("BOOKMARK", thing("", 50)), END])
    assert run.copy.told == [(set(), 5), ("a", False)]
    assert run.asked == [("list", ""), ("watch", "5"), ("watch", "50")]


def test_a_stream_that_ended_is_taken_up_at_once_from_its_last_version() -> None:
    run = Run([EMPTY], [("ADDED", thing("a", 6)), END], [("MODIFIED", thing("a", 7)), END])
    assert run.asked == [("list", ""), ("watch", "5"), ("watch", "6"), ("watch", "7")]
    assert run.pauses == [0, 0, 0]


def test_a_version_that_is_too_old_leads_to_a_new_list() -> None:
    run = Run([EMPTY, [([thing("b", 8, "u-b")], "9")]], [("ADDED", thing("a", 6)), GONE])
    assert run.asked == [("list", ""), ("watch", "5"), ("list", ""), ("watch", "9")]
    assert run.copy.told[-2:] == [("b", False), ({"u-b"}, 9)]


def test_one_list_follows_an_expired_version_at_once_but_a_server_that_always_says_so_is_spared() -> None:
    run = Run([EMPTY] * 4, [GONE], [GONE], [GONE])
    assert run.asked == [("list", ""), ("watch", "5")] * 4
    assert run.pauses[:2] == [0, 0]
    assert 0 < run.pauses[3] < run.pauses[5]


def test_an_event_without_a_version_leads_to_a_new_list_after_a_pause() -> None:
    run = Run([EMPTY, EMPTY], [("ADDED", {"metadata": {}})])
    assert run.asked == [("list", ""), ("watch", "5"), ("list", ""), ("watch", "5")]
    assert run.pauses == [0, 0.5, 0]
    assert run.copy.told == [(set(), 5), (set(), 5)]


def test_a_server_that_closes_every_watch_at_once_is_asked_ever_more_rarely() -> None:
    run = Run([EMPTY], *[list[Script]([END]) for _ in range(8)], seconds=300)
    assert run.pauses == [0, 0.5, 1, 2, 4, 8, MAX_BACKOFF, MAX_BACKOFF, MAX_BACKOFF]


def test_the_pause_is_somewhere_between_half_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stint.kube.informer.random.uniform", lambda low, _high: low)
    assert Run([EMPTY], [END], [END]).pauses == [0, 0.25, 0.5]


@pytest.mark.parametrize("failure", [Unreachable("lost"), Unauthorized(401, "", "who?"), ApiError(400, "", "what?")])
def test_a_broken_watch_is_taken_up_after_a_pause_from_its_last_version(failure: Exception) -> None:
    run = Run([EMPTY], [("ADDED", thing("a", 6)), failure], [failure])
    assert run.asked == [("list", ""), ("watch", "5"), ("watch", "6"), ("watch", "6")]
    assert run.pauses == [0, 0.5, 1]


def test_an_event_ends_the_growth_of_the_pauses() -> None:
    lost = Unreachable("lost")
    run = Run([EMPTY], [lost], [lost], [("ADDED", thing("a", 6)), lost], [lost])
    assert run.pauses == [0, 0.5, 1, 0.5, 1]


def test_it_is_not_synced_before_the_first_list_is_complete() -> None:
    run = Run([Unreachable("lost"), Unreachable("lost"), EMPTY], seconds=1)
    assert not run.synced
    assert run.copy.told == []


def test_a_list_that_fails_is_tried_again_after_a_pause() -> None:
    run = Run([Unreachable("lost"), Unreachable("lost"), EMPTY])
    assert run.pauses == [0.5, 1, 0]
    assert run.synced


def test_a_list_whose_pages_have_expired_begins_anew() -> None:
    run = Run([GONE, EMPTY])
    assert run.asked == [("list", ""), ("list", ""), ("watch", "5")]


UNKNOWN = NotFound(404, "NotFound", "404 page not found")


async def test_a_resource_that_the_server_does_not_know_at_the_first_list_ends_the_informer() -> None:
    client = ScriptedWatch(lambda: 0, [Unreachable("lost"), UNKNOWN], [])
    informer = Informer(client, PODS, Copy())
    with pytest.raises(NotFound):
        await informer.run()
    assert len(client.asked) == 2
    assert not informer.synced.is_set()


def test_a_resource_that_the_server_does_not_know_for_a_while_is_watched_again() -> None:
    run = Run([EMPTY, UNKNOWN, EMPTY], [UNKNOWN], [GONE])
    assert run.asked == [("list", ""), ("watch", "5"), ("watch", "5"), ("list", ""), ("list", ""), ("watch", "5")]
    assert run.pauses[:2] == [0, 0.5]


async def test_a_list_that_breaks_between_two_pages_makes_nothing_missing() -> None:
    class Breaking(KubeClient):
        async def pages(self, resource: Resource, namespace: str | None = None, *, selector: str = "", chunk: int = 500) -> AsyncIterator[Page]:
            yield [thing("a", 1, "u-a")], "5"
            raise Unreachable("lost")

    copy = Copy()
    with pytest.raises(Unreachable):
        await list_all(Breaking(), PODS, copy)
    assert copy.told == [("a", False)]


class LaggingWatch(KubeClient):
    """A list, and a stream that tells what the test puts into it."""

    def __init__(self) -> None:
        super().__init__()
        self.items = [thing("a", 1, "u-a"), thing("b", 2, "u-b")]
        self.version = 5
        self.stream: asyncio.Queue[Event] = asyncio.Queue()
        self.lists = 0

    async def pages(
        self, resource: Resource, namespace: str | None = None, *, selector: str = "", chunk: int = 500
    ) -> AsyncIterator[tuple[list[Json], str]]:
        self.lists += 1
        yield list(self.items), str(self.version)

    async def versions(self, resource: Resource, *, selector: str = "") -> dict[str, int]:
        assert selector == "x=y"
        return {item["metadata"]["uid"]: int(item["metadata"]["resourceVersion"]) for item in self.items}

    async def watch(
        self, resource: Resource, *, version: str, selector: str = "", namespace: str | None = None, name: str = ""
    ) -> AsyncIterator[Event]:
        while True:
            yield await self.stream.get()


def catching_up(change: Callable[[LaggingWatch], None], tells: tuple[Event, ...] = ()) -> tuple[float, int, Copy]:
    """How long it takes to catch up after a change of the cluster that the watch tells half a second later, and how many lists."""
    copy = Copy()

    async def scenario(loop: VirtualLoop) -> tuple[float, int, Copy]:
        client = LaggingWatch()
        informer = Informer(client, PODS, copy, selector="x=y")
        task = asyncio.create_task(informer.run())
        await informer.synced.wait()
        copy.told.clear()
        change(client)
        begun = loop.time()
        for event in tells:
            loop.call_later(0.5, client.stream.put_nowait, event)
        await informer.catch_up()
        took, lists = loop.time() - begun, client.lists
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return took, lists, copy

    return virtual(scenario)


def created(client: LaggingWatch) -> None:
    client.items.append(thing("c", 7, "u-c"))
    client.version = 9


def deleted(client: LaggingWatch) -> None:
    client.items.pop()
    client.version = 9


def replaced(client: LaggingWatch) -> None:
    deleted(client)
    created(client)


def test_who_knows_everything_has_caught_up_at_once() -> None:
    took, lists, copy = catching_up(lambda client: None)
    assert (took, lists, copy.told) == (0, 1, [])


@pytest.mark.parametrize(
    ("change", "tells"),
    [
        (created, (("ADDED", thing("c", 7, "u-c")),)),
        (created, (("BOOKMARK", thing("", 8, "")),)),
        (deleted, (("DELETED", thing("b", 9, "u-b")),)),
        (replaced, (("DELETED", thing("b", 6, "u-b")), ("ADDED", thing("c", 7, "u-c")))),
    ],
    ids=["created", "of no concern", "deleted", "replaced"],
)
def test_what_the_watch_has_not_told_yet_is_waited_for(change: Callable[[LaggingWatch], None], tells: tuple[Event, ...]) -> None:
    took, lists, _ = catching_up(change, tells)
    assert (took, lists) == (0.5, 1)


@pytest.mark.parametrize("change", [created, deleted, replaced])
def test_a_watch_that_tells_nothing_is_replaced_by_a_list_after_a_second(change: Callable[[LaggingWatch], None]) -> None:
    took, lists, copy = catching_up(change)
    assert (took, lists) == (CATCH_UP_PATIENCE, 2)
    names = {told[0] for told in copy.told if isinstance(told[0], str)}
    assert ("c" in names) == (change is not deleted)
    uids = copy.told[-1][0]
    assert ("u-b" in uids) == (change is created)
