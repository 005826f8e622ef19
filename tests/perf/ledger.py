"""How long the ledger takes for a decision: no cluster, no process of its own, only the fold and the queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from perf.benchmark import Benchmark, Outcome, Setting, say
from perf.figures import Figure, percentile
from stint.budgets.amounts import NOTHING, amounts
from stint.budgets.budget import Budget, read_budget
from stint.budgets.facts import Running, Session, Settled
from stint.budgets.ledger import Ledger
from stint.budgets.line import Waiter
from stint.budgets.queue import Queue
from stint.budgets.selection import Subject

SESSIONS = 10_000
NAMESPACES = 100
SYSTEM = "stint-system"
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
STEPS = 5_000
USED = amounts("0.5", 50_000, 10_000, 2_000)


def budgets() -> Iterator[Budget]:
    """Two for the whole cluster and one for each namespace; every session has seven limits to pass."""
    reserve = {"cost": "1", "tokens": 200_000}
    cluster: list[dict[str, Any]] = [
        {"name": "busy", "resource": "concurrency", "limit": str(SESSIONS)},
        {"name": "month", "resource": "cost", "limit": "999999", "calendar": "Monthly", "timeZone": "Europe/Paris"},
        {"name": "rate", "resource": "sessions", "limit": "1000000", "window": "1m", "burst": 1_000_000},
    ]
    users = [
        {"name": "hour", "resource": "tokens", "limit": "900000000000", "window": "1h"},
        {"name": "day", "resource": "cost", "limit": "99999", "window": "24h"},
    ]
    team = [
        {"name": "busy", "resource": "concurrency", "limit": str(SESSIONS)},
        {"name": "day", "resource": "cost", "limit": "99999", "calendar": "Daily", "timeZone": "America/New_York"},
    ]
    yield _budget(SYSTEM, "cluster", cluster, reserve, [])
    yield _budget(SYSTEM, "users", users, reserve, ["User"])
    for number in range(NAMESPACES):
        yield _budget(f"team-{number}", "team", team, reserve, [])


def _budget(namespace: str, name: str, limits: list[dict[str, Any]], reserve: dict[str, Any], per: list[str]) -> Budget:
    return read_budget({"metadata": {"namespace": namespace, "name": name}, "spec": {"limits": limits, "reserve": reserve, "per": per}})


def sessions(count: int) -> Iterator[Session]:
    """Each has one attempt behind it, and every second one runs."""
    for number in range(count):
        subject = Subject(f"team-{number % NAMESPACES}", user=f"user-{number % 500}", provider="default", model="claude-sonnet-4-5")
        start = NOW - timedelta(seconds=7 * (number % 2_000) + 60)
        running = Running(2, NOW - timedelta(seconds=5), amounts("1", 200_000)) if number % 2 else None
        yield Session(f"uid-{number}", subject, {1: Settled(start, start + timedelta(seconds=50), USED)}, running)


def measure(setting: Setting) -> Outcome:
    count = setting.size(SESSIONS)
    known = list(sessions(count))
    ledger = Ledger(SYSTEM)
    begin = time.perf_counter()
    for session in known:
        ledger.observe(session, NOW)
    for budget in budgets():
        ledger.put_budget(budget, NOW)
    rebuilt = time.perf_counter() - begin
    idle = [session.uid for session in known if session.running is None]
    say(f"{count} sessions, {NAMESPACES + 2} budgets: rebuilt in {rebuilt:.2f} s")

    asks, admits, settles = _decisions(ledger, idle, setting.size(STEPS))
    steps, filling = _queue(known, setting.size(STEPS))
    values = {
        "ask_p50_us": percentile(asks, 50),
        "ask_p99_us": percentile(asks, 99),
        "admit_p50_us": percentile(admits, 50),
        "admit_p99_us": percentile(admits, 99),
        "settle_p50_us": percentile(settles, 50),
        "queue_p50_us": percentile(steps, 50),
        "queue_p99_us": percentile(steps, 99),
        "fill_us": filling,
        "rebuild_s": rebuilt,
    }
    return Outcome(values)


def _decisions(ledger: Ledger, idle: list[str], steps: int) -> tuple[list[float], list[float], list[float]]:
    """Ask, admit and settle one attempt after the other, a tenth of a second apart. Microseconds of each."""
    asks, admits, settles = [], [], []
    for number in range(steps):
        uid, attempt = idle[number % len(idle)], 2 + number // len(idle)
        now = NOW + timedelta(seconds=number / 10)
        settled = Settled(now, now, USED)
        asks.append(_timed(lambda: ledger.ask(uid, NOTHING, now)))  # noqa: B023
        admits.append(_timed(lambda: ledger.admit(uid, attempt, NOTHING, now)))  # noqa: B023
        assert ledger.running(uid) is not None
        settles.append(_timed(lambda: ledger.settle(uid, attempt, settled, now)))  # noqa: B023
    return asks, admits, settles


def _queue(known: list[Session], steps: int) -> tuple[list[float], float]:
    """All sessions wait for a concurrency of 100, and one after the other ends. Microseconds from a settlement until the next is admitted, and of the
    first look at all who wait, for each."""
    ledger = Ledger(SYSTEM)
    queue = Queue(ledger)
    ledger.put_budget(_budget(SYSTEM, "busy", [{"name": "busy", "resource": "concurrency", "limit": "100"}], {}, []), NOW)
    ledger.put_budget(next(iter(budgets())), NOW)
    for number, session in enumerate(known):
        ledger.observe(Session(session.uid, session.subject), NOW)
        queue.add(Waiter(session.uid, 1, session.subject.namespace, NOW - timedelta(seconds=number)))
    begin = time.perf_counter()
    running = [decision.waiter.uid for decision in queue.pump(NOW) if decision.verdict.admitted]
    filling = 1e6 * (time.perf_counter() - begin) / len(known)
    found = []
    for number in range(min(steps, len(queue))):
        now = NOW + timedelta(seconds=number / 10)
        ledger.settle(running[number], 1, Settled(now, now, USED), now)
        found.append(_timed(lambda: running.extend(decision.waiter.uid for decision in queue.pump(now))))  # noqa: B023
    return found, filling


def _timed(step: Callable[[], object]) -> float:
    begin = time.perf_counter_ns()
    step()
    return (time.perf_counter_ns() - begin) / 1_000


LEDGER = Benchmark(
    "ledger",
    "Decisions of the ledger",
    "10,000 sessions, half of them running, in 102 budgets; seven limits match each session. One process, no cluster: the time of a decision, and "
    "the time from a settlement until the next of 10,000 waiting sessions from 100 namespaces is admitted.",
    (
        Figure("ask_p50_us", "may it start?, p50", "µs", "lower", goal=50),
        Figure("ask_p99_us", "may it start?, p99", "µs", "lower"),
        Figure("admit_p50_us", "admit and reserve, p50", "µs", "lower", goal=50),
        Figure("admit_p99_us", "admit and reserve, p99", "µs", "lower"),
        Figure("settle_p50_us", "settle, p50", "µs", "lower"),
        Figure("queue_p50_us", "next one of those who wait, p50", "µs", "lower"),
        Figure("queue_p99_us", "next one of those who wait, p99", "µs", "lower"),
        Figure("fill_us", "first look at one of those who wait", "µs", "lower"),
        Figure("rebuild_s", "rebuilt after a restart", "s", "lower", goal=10),
    ),
    measure,
)
