"""Two controllers and ten thousand sessions: how long nobody decides when the one that leads goes, and how long a start of both takes."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass
from itertools import count, pairwise
from statistics import median

from perf.bed import Bed
from perf.benchmark import Benchmark, Outcome, Setting, say
from perf.controller import PORT, Controller
from perf.figures import Figure
from perf.scenario import Record, Scenario

COUNT = 10_000
ROUNDS = 5
RATE = 10.0
"""New sessions a second while the leader goes: one is there to be decided on at any moment."""
ARRIVE = 4.0  # seconds
KILLED_AFTER = 1.0
TAKEN_WITHIN = 120.0


@dataclass
class Pair:
    """The controller that leads, and the one that stands by."""

    bed: Bed
    setting: Setting
    leader: Controller
    standby: Controller

    def end_leader(self, number: signal.Signals, prefix: str) -> float:
        """Seconds from the signal to the first pod that the next leader creates. Afterwards there is another standby."""
        ended = 0.0

        def end() -> None:
            nonlocal ended
            ended = time.monotonic()
            self.leader.signal(number)

        timer = threading.Timer(KILLED_AFTER, end)
        record = self.bed.load(Scenario("AgentSession", int(ARRIVE * RATE), prefix, rate=RATE, seconds=TAKEN_WITHIN), begin=timer.start).record
        self.leader.stop()
        self.leader, self.standby = self.standby, self.leader
        self.standby.start()
        self.standby.wait_ready()
        return resumed(record) - ended


def resumed(record: Record) -> float:
    """When pods were created again after the longest time without."""
    pods = sorted(record.pods)
    gaps = [after - before for before, after in pairwise(pods)]
    return pods[gaps.index(max(gaps)) + 1]


def measure(setting: Setting) -> Outcome:
    """All of it on one cluster, in which all sessions have ended."""
    number = setting.size(COUNT)
    with Bed(setting.cluster, setting.folder) as bed, Controller(bed.cluster, setting.folder / "a") as first:
        bed.settle("AgentSession")
        say(f"{number} sessions")
        bed.load(Scenario("AgentSession", number, "burst", until_done=True, seconds=300 + number / 5))
        with Controller(bed.cluster, setting.folder / "b", port=PORT + 1) as second:
            pair, rounds = Pair(bed, setting, first, second), count()
            times: dict[str, list[float]] = {}
            for name, sent in (("sigterm", signal.SIGTERM), ("sigkill", signal.SIGKILL)):
                say(f"{ROUNDS} times {sent.name} to the leader")
                times[name] = [pair.end_leader(sent, f"{name}{next(rounds)}") for _ in range(ROUNDS)]
            resident = {"leader_mib": pair.leader.resident, "standby_mib": pair.standby.resident}
        say("restart")
        for controller in (first, second):
            controller.stop()
        after = bed.load(Scenario("AgentSession", 1, "after", seconds=TAKEN_WITHIN), begin=first.start).record
        restarted = after.pods[0] - first.started
    values = {f"{name}_{word}": figure(found) for name, found in times.items() for word, figure in (("median", median), ("slowest", max))}
    return Outcome({**values, "restart": restarted, **resident}, {"seconds": times})


FAILOVER = Benchmark(
    "failover",
    "The leader goes, among 10,000 sessions",
    "Two controllers, of which one leads and one stands by, in a cluster with 10,000 sessions that have ended, and their pods. New sessions come ten "
    "times a second. One second later the leader gets a signal, five times SIGTERM and five times SIGKILL: measured is the time until the next leader "
    "has created its first pod. For the restart both are stopped, one more session is created, and one controller is started: the time until that "
    "session's pod exists.",
    (
        Figure("sigterm_median", "SIGTERM to the leader → first pod by the next one, median", "s", "lower"),
        Figure("sigterm_slowest", "the slowest of five", "s", "lower", goal=2),
        Figure("sigkill_median", "SIGKILL to the leader → first pod by the next one, median", "s", "lower"),
        Figure("sigkill_slowest", "the slowest of five", "s", "lower", goal=20),
        Figure("restart", "start of a process, none leads → first new decision carried out", "s", "lower", goal=10),
        Figure("leader_mib", "memory of the leader", "MiB", "lower"),
        Figure("standby_mib", "memory of the standby", "MiB", "lower"),
    ),
    measure,
)
