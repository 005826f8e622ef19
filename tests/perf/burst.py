"""A thousand sessions at once, and a thousand plain Jobs at once on the same kind of cluster, in the same run."""

from __future__ import annotations

from dataclasses import dataclass

from perf.bed import Bed, Loaded
from perf.benchmark import Benchmark, Outcome, Setting, say
from perf.controller import USER, Controller
from perf.figures import Figure, percentile
from perf.manifests import Kind
from perf.scenario import Scenario
from perf.writes import AuditLog, Writes, before_last, count

COUNT = 1_000
JOB_CONTROLLER = "system:serviceaccount:kube-system:job-controller"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sides of the comparison."""

    loaded: Loaded
    writes: Writes
    before_last_pod: Writes
    resident: float = 0.0
    peak: float = 0.0


def measure(setting: Setting) -> Outcome:
    """Sessions first, then Jobs, each on a fresh cluster."""
    number = setting.size(COUNT)
    sessions, jobs = session_side(setting, number), job_side(setting, number)
    record, controller = sessions.loaded.record, sessions.loaded.until_done["controller"]
    values = {
        "rate": record.rate,
        "job_rate": jobs.loaded.record.rate,
        "ratio_to_jobs": record.rate / jobs.loaded.record.rate,
        "post_p50_ms": 1000 * percentile(record.posts, 50),
        "post_p99_ms": 1000 * percentile(record.posts, 99),
        "job_post_p50_ms": 1000 * percentile(jobs.loaded.record.posts, 50),
        "job_post_p99_ms": 1000 * percentile(jobs.loaded.record.posts, 99),
        "start_p50_ms": 1000 * percentile(record.starts, 50),
        "writes_per_session": sessions.writes.total() / number,
        "writes_per_job": jobs.writes.total() / number,
        "cpu_ms_per_session": 1000 * controller / number,
        "settled_seconds": (record.done or 0) - min(record.sent),
        "resident_mib": sessions.resident,
        "peak_mib": sessions.peak,
    }
    return Outcome(values, {"sessions": details(sessions, number), "jobs": details(jobs, number)})


def session_side(setting: Setting, number: int) -> Side:
    """So many sessions at once."""
    folder = setting.folder / "sessions"
    profile = folder / "controller.prof" if setting.profile else None
    with Bed(setting.cluster, folder) as bed, Controller(bed.cluster, folder, profile) as controller:
        bed.watch_process("controller", controller.pid)
        bed.settle("AgentSession")
        say(f"{number} sessions at once")
        log = AuditLog(bed.cluster.audit_log)
        loaded = bed.load(_all_at_once("AgentSession", number))
        return side(loaded, log.lines(), USER, controller)


def job_side(setting: Setting, number: int) -> Side:
    """So many plain Jobs at once, for Kubernetes' own controller."""
    with Bed(setting.cluster, setting.folder / "jobs") as bed:
        bed.settle("Job")
        say(f"{number} Jobs at once")
        log = AuditLog(bed.cluster.audit_log)
        loaded = bed.load(_all_at_once("Job", number))
        return side(loaded, log.lines(), JOB_CONTROLLER)


def side(loaded: Loaded, lines: list[str], user: str, controller: Controller | None = None) -> Side:
    """Put together what one side has shown."""
    written, before = count(lines, user), before_last(lines, user, "create pods")
    return Side(loaded, written, before, *((controller.resident, controller.peak) if controller else ()))


def details(side: Side, number: int) -> dict[str, object]:
    """What only the JSON shows: writes by verb, and who used the CPU, in ms per object."""
    return {
        "writes": dict(side.writes),
        "writes_before_last_pod": dict(side.before_last_pod),
        "cpu_ms_until_pods": _per_object(side.loaded.until_pods, number),
        "cpu_ms_until_done": _per_object(side.loaded.until_done, number),
        "others_share": side.loaded.others,
        "window_seconds": side.loaded.record.window,
        "created_seconds": max(side.loaded.record.answered) - min(side.loaded.record.sent),
    }


def _per_object(cpu: dict[str, float], number: int) -> dict[str, float]:
    return {name: round(1000 * seconds / number, 3) for name, seconds in cpu.items()}


def _all_at_once(kind: Kind, number: int) -> Scenario:
    return Scenario(kind, number, "burst", until_done=True, seconds=60 + number / 5)


BURST = Benchmark(
    "burst",
    "1,000 sessions at once",
    "1,000 ephemeral sessions are created as fast as 16 callers can, and then, on another fresh cluster of the same kind, 1,000 plain Jobs (one "
    "container, no API token) for Kubernetes' own Job controller. The rate counts from the first POST to the last pod object. Pods end five seconds "
    "after they began, with the result and the report of a real session; CPU and writes are counted until the last session is `Succeeded`. Everything "
    "shares the same cores and keeps them busy, so what stands between sessions and Jobs is CPU: a custom resource costs the API server more than a "
    "built-in one, because it is checked against its schema and kept as JSON, and the controller is Python beside Go. A caller's POST waits behind all that.",
    (
        Figure("rate", "sessions with a pod per second", "/s", "higher"),
        Figure("job_rate", "Jobs with a pod per second", "/s"),
        Figure("ratio_to_jobs", "sessions beside Jobs", "×", "higher", goal=1.0, gated=True),
        Figure("post_p50_ms", "callers' POST of a session, p50", "ms", "lower", goal=50),
        Figure("post_p99_ms", "callers' POST of a session, p99", "ms", "lower"),
        Figure("job_post_p50_ms", "callers' POST of a Job, p50", "ms"),
        Figure("job_post_p99_ms", "callers' POST of a Job, p99", "ms"),
        Figure("start_p50_ms", "session created → pod object, p50", "ms", "lower"),
        Figure("writes_per_session", "API writes per session", "", "lower", goal=3, gated=True),
        Figure("writes_per_job", "API writes of the Job controller per Job", ""),
        Figure("cpu_ms_per_session", "controller CPU per session, start to settlement", "ms", "lower", goal=4, gated=True),
        Figure("settled_seconds", "first POST → last session `Succeeded`", "s", "lower"),
        Figure("resident_mib", "controller memory afterwards", "MiB", "lower", gated=True),
        Figure("peak_mib", "controller memory at most", "MiB", "lower"),
    ),
    measure,
)
