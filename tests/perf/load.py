"""What a platform team plans for: a hundred sessions a minute for an hour, five hundred within one minute, a thousand that run at the same time."""

from __future__ import annotations

from perf.bed import STAGES, Bed
from perf.benchmark import Benchmark, Outcome, Setting, say
from perf.controller import Controller
from perf.figures import Figure, Values, percentile
from perf.scenario import Record, Scenario

MINUTE = 60.0  # seconds
HOURLY, HOUR = 100, 60
"""Sessions a minute, and minutes."""
BURST = 500
AT_ONCE, LASTING = 1_000, 60.0
"""So many pods, which last so many seconds."""
DRAIN = 120.0
"""Seconds for the last ones to end."""


def measure_hour(setting: Setting) -> Outcome:
    """A steady stream for a long time: what it takes, and whether memory grows."""
    minutes = setting.size(HOUR)
    folder = setting.folder / "sessions"
    with Bed(setting.cluster, folder) as bed, Controller(bed.cluster, folder) as controller:
        bed.watch_process("controller", controller.pid)
        bed.settle("AgentSession")
        say(f"{HOURLY} sessions a minute for {minutes} minutes")
        before = controller.resident
        count = HOURLY * minutes
        loaded = bed.load(
            Scenario("AgentSession", count, "hour", rate=HOURLY / MINUTE, in_flight=32, until_done=True, seconds=minutes * MINUTE + DRAIN)
        )
        kept = 1024 * (controller.resident - before) / count
    starts = [1000 * seconds for seconds in loaded.record.starts]
    values = {
        "sessions": float(count),
        "start_p50_ms": percentile(starts, 50),
        "start_p99_ms": percentile(starts, 99),
        "settled_after_seconds": (loaded.record.done or 0) - max(loaded.record.pods),
        "cpu_ms_per_session": 1000 * loaded.until_done["controller"] / count,
        "kept_kib_per_session": kept,
    }
    return Outcome(values)


def measure_load(setting: Setting) -> Outcome:
    """Many within a minute, and many at the same time, each on a fresh cluster."""
    return Outcome({**_within_a_minute(setting), **_at_the_same_time(setting)})


def _within_a_minute(setting: Setting) -> Values:
    count = setting.size(BURST)
    folder = setting.folder / "minute"
    with Bed(setting.cluster, folder) as bed, Controller(bed.cluster, folder) as controller:
        bed.watch_process("controller", controller.pid)
        bed.settle("AgentSession")
        say(f"{count} sessions within a minute")
        record = bed.load(Scenario("AgentSession", count, "minute", rate=count / MINUTE, in_flight=32, until_done=True, seconds=MINUTE + DRAIN)).record
    starts = [1000 * seconds for seconds in record.starts]
    return {
        "minute_start_p50_ms": percentile(starts, 50),
        "minute_start_p99_ms": percentile(starts, 99),
        "minute_settled_seconds": (record.done or 0) - min(record.sent),
    }


def _at_the_same_time(setting: Setting) -> Values:
    count = setting.size(AT_ONCE)
    folder = setting.folder / "running"
    folder.mkdir(parents=True, exist_ok=True)
    stages = folder / "stages.yaml"
    stages.write_text(STAGES.read_text().replace("durationMilliseconds: 5000", f"durationMilliseconds: {round(1000 * LASTING)}"))
    with Bed(setting.cluster, folder, stages) as bed, Controller(bed.cluster, folder) as controller:
        bed.watch_process("controller", controller.pid)
        say(f"{count} sessions that run at the same time")
        loaded = bed.load(Scenario("AgentSession", count, "running", until_done=True, seconds=4 * LASTING + DRAIN))
        peak = controller.peak
    return {
        "at_once": float(at_once(loaded.record, LASTING)),
        "at_once_settled_seconds": (loaded.record.done or 0) - min(loaded.record.sent),
        "at_once_cpu_ms": 1000 * loaded.until_done["controller"] / count,
        "at_once_peak_mib": peak,
    }


def at_once(record: Record, lasting: float) -> int:
    """How many ran at the same time at most: each from its pod on, for ``lasting`` seconds at least."""
    begun = sorted(record.pods)
    return max((sum(1 for other in begun if moment - lasting < other <= moment) for moment in begun), default=0)


LOAD = Benchmark(
    "load",
    "500 sessions within a minute, 1,000 at the same time",
    "500 sessions at fixed moments of one minute; and on another fresh cluster 1,000 at once whose pods last a minute, so that all run together before "
    "the first one ends. Every session has to succeed.",
    (
        Figure("minute_start_p50_ms", "500 in a minute: session created → pod object, p50", "ms", "lower"),
        Figure("minute_start_p99_ms", "500 in a minute: session created → pod object, p99", "ms", "lower"),
        Figure("minute_settled_seconds", "500 in a minute: first POST → last session `Succeeded`", "s", "lower"),
        Figure("at_once", "1,000 at once: running at the same time", "", "higher", goal=AT_ONCE),
        Figure("at_once_settled_seconds", "1,000 at once: first POST → last session `Succeeded`", "s", "lower"),
        Figure("at_once_cpu_ms", "1,000 at once: controller CPU per session", "ms", "lower"),
        Figure("at_once_peak_mib", "1,000 at once: controller memory at most", "MiB", "lower"),
    ),
    measure_load,
)
HOURLONG = Benchmark(
    "hour",
    "100 sessions a minute for an hour",
    "At fixed moments, each pod lasting five seconds; every session has to succeed. Measured only when it is named. What the controller keeps of a "
    "session is what grew in its memory, divided by the sessions that are still in the cluster.",
    (
        Figure("sessions", "sessions that succeeded"),
        Figure("start_p50_ms", "session created → pod object, p50", "ms", "lower"),
        Figure("start_p99_ms", "session created → pod object, p99", "ms", "lower"),
        Figure("settled_after_seconds", "last pod object → last session `Succeeded`", "s", "lower"),
        Figure("cpu_ms_per_session", "controller CPU per session", "ms", "lower"),
        Figure("kept_kib_per_session", "controller memory that a finished session keeps", "KiB", "lower"),
    ),
    measure_hour,
)
