"""The workers: what a pass does to the queue, and what one object's trouble does to the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from simulation.metrics_kit import Grown
from simulation.virtual_time import START, VirtualLoop
from stint.engine.act import ObjectGone
from stint.engine.controller import Controller, Look, utc_now
from stint.engine.keys import Key
from stint.engine.plan import Create, Plan, Refusal
from stint.engine.queue import WorkQueue
from stint.kube.errors import ApiError, Conflict, NotFound, Refused, Unreachable
from stint.kube.resources import PODS
from unit.engine.kit import Json, Notes, ScriptedClient, key, target, virtual

POD: Json = {"kind": "Pod", "metadata": {"namespace": "team-a", "name": "fix-1"}, "spec": {}}
CREATE = Plan(create=(Create(PODS, POD),))
Decide = Callable[[Key, datetime, Refusal | None], Plan | None]


class ScriptedKind:
    """Plans what it is told to, and writes down what it is shown."""

    name = "AgentSession"

    def __init__(self, decide: Decide = lambda *_: Plan()) -> None:
        self.decide = decide
        self.meanwhile: Callable[[], Awaitable[None]] = partial(asyncio.sleep, 0)
        self.looks: list[tuple[str, datetime, Refusal | None]] = []
        self.gone: list[tuple[str, str]] = []

    async def look(self, key: Key, now: datetime, refusal: Refusal | None) -> Look | None:
        self.looks.append((key.name, now, refusal))
        await self.meanwhile()
        plan = self.decide(key, now, refusal)
        return None if plan is None else Look(target(name=key.name), plan)

    def vanished(self, key: Key, uid: str) -> None:
        self.gone.append((key.name, uid))


class Bench:
    """A controller with everything around it."""

    def __init__(self, loop: VirtualLoop, decide: Decide = lambda *_: Plan(), client: ScriptedClient | None = None) -> None:
        self.loop = loop
        self.client = client or ScriptedClient()
        self.kind = ScriptedKind(decide)
        self.queue = WorkQueue()
        self.controller = Controller(self.client, self.queue, Notes(), [self.kind], clock=loop.clock)

    async def work(self, seconds: float, workers: int = 2) -> None:
        """Let the workers run for so long."""
        running = asyncio.create_task(self.controller.run(workers))
        await asyncio.sleep(seconds)
        assert not running.done(), "the workers have ended"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    @property
    def looked_at(self) -> list[float]:
        """Seconds of every look."""
        return [(now - START).total_seconds() for _, now, _ in self.kind.looks]


def test_a_key_is_looked_at_with_the_clocks_time_and_acted_upon() -> None:
    async def scenario(loop: VirtualLoop) -> Bench:
        bench = Bench(loop, lambda *_: CREATE)
        bench.queue.add(key("fix"))
        await bench.work(10)
        return bench

    bench = virtual(scenario)
    assert bench.kind.looks == [("fix", START, None)]
    assert bench.client.asked == [("create", "fix-1")]
    assert len(bench.queue) == 0


def test_an_object_that_is_gone_needs_nothing() -> None:
    async def scenario(loop: VirtualLoop) -> Bench:
        bench = Bench(loop, lambda *_: None)
        bench.queue.add(key("fix"))
        await bench.work(100)
        return bench

    bench = virtual(scenario)
    assert len(bench.kind.looks) == 1
    assert bench.client.asked == []


def test_the_next_look_is_when_the_plan_says() -> None:
    async def scenario(loop: VirtualLoop) -> Bench:
        bench = Bench(loop, lambda _key, now, _no: Plan(look_again=now + timedelta(seconds=30)) if now < START + timedelta(seconds=45) else Plan())
        bench.queue.add(key("fix"))
        await bench.work(200)
        return bench

    assert virtual(scenario).looked_at == pytest.approx([0, 30, 60], abs=0.1)


def test_a_refusal_is_shown_in_the_next_plan_at_once_and_only_there() -> None:
    # given an API server that refuses the pod, and a plan that tries again after 30 s
    def decide(_key: Key, now: datetime, refusal: Refusal | None) -> Plan:
        return CREATE if refusal is None and now < START + timedelta(seconds=40) else Plan(look_again=now + timedelta(seconds=30))

    async def scenario(loop: VirtualLoop) -> Bench:
        bench = Bench(loop, decide, ScriptedClient(create=Refused(403, "Forbidden", "exceeded quota")))
        bench.queue.add(key("fix"))
        await bench.work(50)
        return bench

    bench = virtual(scenario)
    no = Refusal("Pod", "fix-1", "Forbidden", "exceeded quota")
    assert [refusal for _, _, refusal in bench.kind.looks] == [None, no, None, no]
    assert bench.looked_at == pytest.approx([0, 0, 30, 30], abs=0.1)


def test_refusals_stay_with_their_own_key() -> None:
    async def scenario(loop: VirtualLoop) -> Bench:
        bench = Bench(loop, lambda one, _now, no: CREATE if one.name == "a" and no is None else Plan(), ScriptedClient(create=Refused(403, "", "")))
        bench.queue.add(key("a"))
        bench.queue.add(key("b"))
        await bench.work(1)
        return bench

    assert [(name, no is not None) for name, _, no in virtual(scenario).kind.looks] == [("a", False), ("b", False), ("a", True)]


def test_an_object_that_the_server_does_not_know_any_more_is_forgotten_and_not_tried_again() -> None:
    async def scenario(loop: VirtualLoop) -> Bench:
        bench = Bench(loop, lambda *_: Plan(status={"phase": "x"}), ScriptedClient(status=NotFound(404, "NotFound", "no session")))
        bench.queue.add(key("fix"))
        await bench.work(600)
        return bench

    bench = virtual(scenario)
    assert bench.kind.gone == [("fix", "u-1")]
    assert len(bench.kind.looks) == 1


def test_something_else_not_found_does_not_make_the_object_vanish() -> None:
    def decide(_key: Key, now: datetime, _no: Refusal | None) -> Plan:
        if now == START:
            raise NotFound(404, "NotFound", "no log of the pod")
        return Plan()

    async def scenario(loop: VirtualLoop) -> Bench:
        bench = Bench(loop, decide)
        bench.queue.add(key("fix"))
        await bench.work(10)
        return bench

    bench = virtual(scenario)
    assert bench.kind.gone == []
    assert bench.looked_at == pytest.approx([0, 0.2], abs=0.1)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (Conflict(409, "Conflict", "stale"), ""),
        (Unreachable("connection lost"), "AgentSession/team-a/fix: connection lost; next try in 0.2 s"),
        (ApiError(400, "BadRequest", "what?"), "AgentSession/team-a/fix: 400 BadRequest: what?; next try in 0.2 s"),
        (ZeroDivisionError("division"), "AgentSession/team-a/fix: a bug in the plan; next try in 0.2 s"),
    ],
    ids=["conflict", "unreachable", "refused", "bug"],
)
def test_a_failed_pass_is_tried_again_with_growing_delays_and_others_go_on(failure: Exception, said: str, caplog: pytest.LogCaptureFixture) -> None:
    def decide(one: Key, _now: datetime, _no: Refusal | None) -> Plan:
        if one.name == "fix":
            raise failure
        return Plan()

    async def scenario(loop: VirtualLoop) -> Bench:
        bench = Bench(loop, decide)
        bench.queue.add(key("fix"))
        bench.queue.add(key("other"))
        await bench.work(3.5, workers=1)
        return bench

    with caplog.at_level(logging.INFO):
        bench = virtual(scenario)
    assert [now for (name, _, _), now in zip(bench.kind.looks, bench.looked_at, strict=True) if name == "fix"] == pytest.approx(
        [0, 0.2, 0.6, 1.4, 3.0], abs=0.1
    )
    assert [name for name, _, _ in bench.kind.looks].count("other") == 1
    assert caplog.messages[0].startswith(said) if said else not caplog.messages


@pytest.mark.parametrize(
    ("failure", "result", "retries"),
    [
        (None, "done", 0),
        (ObjectGone("u-1"), "gone", 0),
        (Conflict(409, "Conflict", "stale"), "conflict", 1),
        (Unreachable("connection lost"), "unreachable", 1),
        (ApiError(400, "BadRequest", "what?"), "refused", 1),
        (ZeroDivisionError("division"), "bug", 1),
    ],
)
def test_a_pass_is_counted_by_what_came_of_it(failure: Exception | None, result: str, retries: int) -> None:
    def decide(*_: object) -> Plan:
        if failure is not None:
            raise failure
        return Plan()

    async def scenario(loop: VirtualLoop) -> None:
        await Bench(loop, decide).controller.reconcile(key("fix"))

    grown = Grown()
    virtual(scenario)
    assert grown.all("stint_reconcile_duration_seconds_count") == {("AgentSession", result): 1}
    assert grown("stint_reconcile_retries_total", kind="AgentSession") == retries


def test_after_a_success_the_delays_begin_anew() -> None:
    # given a failure at every second look
    looks = iter([True, True, False, True, False])

    def decide(_key: Key, now: datetime, _no: Refusal | None) -> Plan:
        if next(looks):
            raise Unreachable("lost")
        return Plan(look_again=now + timedelta(seconds=10)) if now < START + timedelta(seconds=5) else Plan()

    async def scenario(loop: VirtualLoop) -> Bench:
        bench = Bench(loop, decide)
        bench.queue.add(key("fix"))
        await bench.work(60)
        return bench

    assert virtual(scenario).looked_at == pytest.approx([0, 0.2, 0.6, 10.6, 10.8], abs=0.1)


def test_as_many_objects_as_there_are_workers_are_worked_on_at_once() -> None:
    async def scenario(loop: VirtualLoop) -> tuple[int, int]:
        bench = Bench(loop)
        inside = most = 0

        async def slow() -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(1)
            inside -= 1

        bench.kind.meanwhile = slow
        for number in range(7):
            bench.queue.add(key(f"s-{number}"))
        await bench.work(10, workers=3)
        return most, len(bench.queue)

    assert virtual(scenario) == (3, 0)


def test_progress_is_noted_after_every_pass_even_a_failed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Plan:
        raise Unreachable("lost")

    async def scenario(loop: VirtualLoop) -> tuple[float, float]:
        monkeypatch.setattr("stint.engine.controller.time.monotonic", loop.time)
        bench = Bench(loop, broken)
        begun = bench.controller.last_progress
        await asyncio.sleep(50)
        bench.queue.add(key("fix"))
        await bench.work(0.1)
        return round(begun, 1), round(bench.controller.last_progress, 1)

    assert virtual(scenario) == (0, 50)


def test_a_pass_that_begins_is_progress_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(loop: VirtualLoop) -> float:
        monkeypatch.setattr("stint.engine.controller.time.monotonic", loop.time)
        bench = Bench(loop)
        found: list[float] = []

        async def note() -> None:
            found.append(bench.controller.last_progress)

        bench.kind.meanwhile = note
        await asyncio.sleep(3600)
        bench.queue.add(key("fix"))
        await bench.work(1)
        return round(found[0])

    assert virtual(scenario) == 3600


def test_a_worker_that_is_cancelled_gives_its_key_back() -> None:
    async def scenario(loop: VirtualLoop) -> int:
        bench = Bench(loop)

        async def forever() -> None:
            await asyncio.Event().wait()

        bench.kind.meanwhile = forever
        bench.queue.add(key("fix"))
        await bench.work(5)
        bench.queue.add(key("fix"))
        return len(bench.queue)

    assert virtual(scenario) == 1


def test_the_clock_tells_utc() -> None:
    assert utc_now().tzinfo is UTC
