"""Which keys are handed out, when, and how often."""

from __future__ import annotations

import asyncio

import pytest

from simulation.metrics_kit import scraped, series
from simulation.virtual_time import VirtualLoop
from stint.engine.gauges import QueueGauges
from stint.engine.keys import Key
from stint.engine.queue import FIRST_BACKOFF, MAX_BACKOFF, WorkQueue
from unit.engine.kit import key, virtual


async def drained(queue: WorkQueue) -> list[str]:
    """The names of everything in line, each given back at once."""
    names = []
    while len(queue):
        taken = await queue.take()
        queue.done(taken)
        names.append(taken.name)
    return names


async def test_keys_come_in_the_order_in_which_they_were_added() -> None:
    queue = WorkQueue()
    for name in ("a", "b", "c"):
        queue.add(key(name))
    assert await drained(queue) == ["a", "b", "c"]


async def test_a_key_stands_in_line_once_however_often_it_is_added() -> None:
    queue = WorkQueue()
    queue.add(key("a"))
    queue.add(key("a"))
    queue.add(key("a"), bookkeeping=True)
    assert len(queue) == 1
    assert await drained(queue) == ["a"]


async def test_a_key_can_be_added_again_once_it_was_taken_and_given_back() -> None:
    queue = WorkQueue()
    queue.add(key("a"))
    await drained(queue)
    queue.add(key("a"))
    assert await drained(queue) == ["a"]


async def test_a_key_that_changes_while_a_worker_holds_it_is_handed_out_again_only_when_given_back() -> None:
    # given
    queue = WorkQueue()
    queue.add(key("a"))
    held = await queue.take()
    # when
    queue.add(key("a"))
    queue.add(key("a"))
    # then
    assert len(queue) == 0
    queue.done(held)
    assert await drained(queue) == ["a"]


async def test_a_key_that_did_not_change_while_held_does_not_come_back() -> None:
    queue = WorkQueue()
    queue.add(key("a"))
    queue.done(await queue.take())
    assert len(queue) == 0


async def test_one_of_five_keys_comes_from_bookkeeping_while_both_lines_are_full() -> None:
    queue = WorkQueue()
    for number in range(8):
        queue.add(key(f"new-{number}"))
        queue.add(key(f"old-{number}"), bookkeeping=True)
    names = await drained(queue)
    assert [index for index, name in enumerate(names[:10]) if name.startswith("old")] == [4, 9]
    assert sorted(names) == sorted([f"new-{n}" for n in range(8)] + [f"old-{n}" for n in range(8)])


async def test_a_key_in_the_second_line_moves_to_the_first_when_more_than_bookkeeping_is_asked_of_it() -> None:
    queue = WorkQueue()
    for name in ("old-1", "old-2", "old-3"):
        queue.add(key(name), bookkeeping=True)
    queue.add(key("new"))
    queue.add(key("old-3"))
    queue.add(key("old-3"))
    assert await drained(queue) == ["new", "old-3", "old-1", "old-2"]
    queue.add(key("old-3"), bookkeeping=True)
    assert await drained(queue) == ["old-3"]


async def test_bookkeeping_does_not_wait_when_nothing_else_is_in_line() -> None:
    queue = WorkQueue()
    for name in ("a", "b", "c"):
        queue.add(key(name), bookkeeping=True)
    assert await drained(queue) == ["a", "b", "c"]


async def test_the_turn_of_an_empty_bookkeeping_line_goes_to_the_first() -> None:
    queue = WorkQueue()
    for number in range(6):
        queue.add(key(f"new-{number}"))
    assert await drained(queue) == [f"new-{number}" for number in range(6)]


async def test_every_key_goes_to_one_worker_only() -> None:
    # given three workers that wait
    queue = WorkQueue()
    workers = [asyncio.create_task(queue.take()) for _ in range(3)]
    await asyncio.sleep(0)
    # when
    queue.add(key("a"))
    queue.add(key("b"))
    done, waiting = await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
    while len(done) < 2:
        more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    # then
    assert sorted(task.result().name for task in done) == ["a", "b"]
    assert not next(iter(waiting)).done()
    queue.add(key("c"))
    assert (await next(iter(waiting))).name == "c"


async def arrivals(queue: WorkQueue, loop: VirtualLoop, count: int) -> list[tuple[str, float]]:
    """Names and seconds (to a tenth) of the next ``count`` keys."""
    found = []
    for _ in range(count):
        taken = await queue.take()
        found.append((taken.name, round(loop.time(), 1)))
        queue.done(taken)
    return found


def test_what_is_scheduled_arrives_when_it_is_due() -> None:
    async def scenario(loop: VirtualLoop) -> list[tuple[str, float]]:
        queue = WorkQueue()
        queue.add_later(key("late"), 30)
        queue.add_later(key("soon"), 10)
        queue.add_later(key("overdue"), -5)
        return await arrivals(queue, loop, 3)

    assert virtual(scenario) == [("overdue", 0), ("soon", 10), ("late", 30)]


def test_scheduling_again_replaces_what_was_scheduled() -> None:
    async def scenario(loop: VirtualLoop) -> tuple[list[tuple[str, float]], int]:
        queue = WorkQueue()
        queue.add_later(key("a"), 10)
        queue.add_later(key("a"), 40)
        found = await arrivals(queue, loop, 1)
        await asyncio.sleep(100)
        return found, len(queue)

    assert virtual(scenario) == ([("a", 40)], 0)


def test_a_look_at_a_key_makes_its_scheduled_one_needless() -> None:
    async def scenario(loop: VirtualLoop) -> int:
        queue = WorkQueue()
        queue.add_later(key("a"), 10)
        queue.add(key("a"))
        await arrivals(queue, loop, 1)
        await asyncio.sleep(100)
        return len(queue)

    assert virtual(scenario) == 0


def test_what_falls_due_while_a_worker_holds_the_key_waits_until_it_is_given_back() -> None:
    async def scenario(loop: VirtualLoop) -> tuple[int, int]:
        queue = WorkQueue()
        queue.add(key("a"))
        held = await queue.take()
        queue.add_later(key("a"), 5)
        await asyncio.sleep(20)
        during = len(queue)
        queue.done(held)
        return during, len(queue)

    assert virtual(scenario) == (0, 1)


def test_closing_drops_what_is_scheduled() -> None:
    async def scenario(loop: VirtualLoop) -> int:
        queue = WorkQueue()
        queue.add_later(key("a"), 1)
        queue.add_later(key("b"), 2)
        queue.close()
        await asyncio.sleep(10)
        return len(queue)

    assert virtual(scenario) == 0


def test_each_failure_doubles_the_delay_until_the_cap_and_two_thousand_overflow_nothing() -> None:
    async def scenario(loop: VirtualLoop) -> list[float]:
        queue = WorkQueue()
        return [queue.failed(key("a")) for _ in range(2000)]

    delays = virtual(scenario)
    assert delays[:5] == pytest.approx([FIRST_BACKOFF, 0.4, 0.8, 1.6, 3.2])
    assert max(delays) == delays[-1] == MAX_BACKOFF


def test_a_failed_key_comes_back_after_its_delay() -> None:
    async def scenario(loop: VirtualLoop) -> tuple[list[tuple[str, float]], float]:
        queue = WorkQueue()
        for _ in range(3):
            delay = queue.failed(key("a"))
        return await arrivals(queue, loop, 1), delay

    found, delay = virtual(scenario)
    assert found == [("a", delay)]


def test_failures_count_by_key_and_are_forgotten_after_success() -> None:
    async def scenario(loop: VirtualLoop) -> list[float]:
        queue = WorkQueue()
        queue.failed(key("a"))
        other = queue.failed(key("b"))
        queue.succeeded(key("a"))
        queue.succeeded(Key("AgentSession", "team-a", "never failed"))
        return [other, queue.failed(key("a")), queue.failed(key("b"))]

    assert virtual(scenario) == [FIRST_BACKOFF, FIRST_BACKOFF, 2 * FIRST_BACKOFF]


def test_a_key_reads_as_a_path() -> None:
    assert str(key("fix")) == "AgentSession/team-a/fix"


async def test_a_scrape_sees_both_lines_and_the_oldest_key(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now

    monkeypatch.setattr("stint.engine.queue.time", Clock)
    queue = WorkQueue()
    gauges = QueueGauges(queue)
    first, second = series("stint_queue_depth", line="first"), series("stint_queue_depth", line="bookkeeping")
    oldest = series("stint_queue_oldest_seconds")
    assert scraped(gauges) == {first: 0, second: 0, oldest: 0}
    queue.add(key("a"), bookkeeping=True)
    now += 3
    queue.add(key("b"))
    queue.add(key("a"))  # moves to the first line, and keeps its age
    queue.add(key("c"), bookkeeping=True)
    now += 4
    assert scraped(gauges) == {first: 2, second: 1, oldest: 7}
    assert (await queue.take()).name == "b"
    assert (await queue.take()).name == "a"
    assert scraped(gauges)[oldest] == 4


async def test_while_it_rests_it_gathers_nothing() -> None:
    queue = WorkQueue()
    queue.add(key("before"))
    queue.add(key("pod"), bookkeeping=True)
    queue.rest()
    queue.add(key("meanwhile"))
    assert (len(queue), queue.oldest()) == (0, 0.0)
    queue.resume([key("a"), key("b")])
    queue.add(key("c"))
    assert await drained(queue) == ["a", "b", "c"]
