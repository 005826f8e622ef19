"""Ten thousand sessions at once, what they cost in time and memory, and a controller that starts anew among them."""

from __future__ import annotations

from perf.bed import Bed
from perf.benchmark import Benchmark, Outcome, Setting, say
from perf.burst import details, session_side, side
from perf.controller import USER, Controller
from perf.figures import Figure, percentile
from perf.scenario import Scenario
from perf.writes import AuditLog

COUNT = 10_000
SMALL = 1_000
RESTART_WITHIN = 300.0


def measure(setting: Setting) -> Outcome:
    """A small burst for comparison, the large one, and the restart on the cluster of the large one."""
    count, small = setting.size(COUNT), setting.size(SMALL)
    beside = session_side(setting, small)
    folder = setting.folder / "sessions"
    with Bed(setting.cluster, folder) as bed, Controller(bed.cluster, folder) as controller:
        bed.watch_process("controller", controller.pid)
        bed.settle("AgentSession")
        say(f"{count} sessions at once")
        log = AuditLog(bed.cluster.audit_log)
        loaded = bed.load(Scenario("AgentSession", count, "burst", until_done=True, seconds=300 + count / 5))
        large = side(loaded, log.lines(), USER, controller)
        say(f"restart among {count} sessions")
        controller.stop()
        bed.forget_process("controller")
        after = bed.load(Scenario("AgentSession", 1, "after", seconds=RESTART_WITHIN), begin=controller.start).record
        restarted = after.pods[0] - controller.started
        cpu, resident = controller.cpu, controller.resident
    record = loaded.record
    per_session, per_small = 1000 * loaded.until_done["controller"] / count, 1000 * beside.loaded.until_done["controller"] / small
    values = {
        "last_pod_seconds": record.window,
        "rate": record.rate,
        "post_p50_ms": 1000 * percentile(record.posts, 50),
        "cpu_ms_per_session": per_session,
        "cpu_beside_small": per_session / per_small,
        "writes_per_session": large.writes.total() / count,
        "settled_seconds": (record.done or 0) - min(record.sent),
        "resident_mib": large.resident,
        "peak_mib": large.peak,
        "restart_seconds": restarted,
        "restart_cpu_seconds": cpu,
        "restart_resident_mib": resident,
    }
    return Outcome(values, {"sessions": details(large, count), "small": details(beside, small)})


SCALE = Benchmark(
    "burst10k",
    "10,000 sessions at once, and a restart among them",
    "The same with 10,000 sessions; the cost per session is compared with that of 1,000 on another fresh cluster in the same run. When all have "
    "ended, the controller is stopped, one more session is created, and the controller is started: the time until that session's pod exists includes "
    "the start of Python, the login, and listing 10,000 sessions and their pods.",
    (
        Figure("last_pod_seconds", "first POST → last pod object", "s", "lower", goal=120),
        Figure("rate", "sessions with a pod per second", "/s", "higher"),
        Figure("post_p50_ms", "callers' POST of a session, p50", "ms", "lower"),
        Figure("cpu_ms_per_session", "controller CPU per session, start to settlement", "ms", "lower", goal=4, gated=True),
        Figure("cpu_beside_small", "the same beside 1,000 sessions", "×", "lower", goal=1.0, gated=True),
        Figure("writes_per_session", "API writes per session", "", "lower", goal=3, gated=True),
        Figure("settled_seconds", "first POST → last session `Succeeded`", "s", "lower"),
        Figure("resident_mib", "controller memory with 10,000 sessions", "MiB", "lower", goal=200, gated=True),
        Figure("peak_mib", "controller memory at most", "MiB", "lower", goal=200),
        Figure("restart_seconds", "start of the process → first new decision carried out", "s", "lower", goal=10),
        Figure("restart_cpu_seconds", "CPU of that start", "s", "lower", gated=True),
        Figure("restart_resident_mib", "controller memory after it", "MiB", "lower", goal=200, gated=True),
    ),
    measure,
)
