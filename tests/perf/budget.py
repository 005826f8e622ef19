"""A thousand sessions through a budget that lets a hundred run at once."""

from __future__ import annotations

from perf.bed import STAGES, Bed
from perf.benchmark import Benchmark, Outcome, Setting, say
from perf.burst import details, side
from perf.controller import USER as CONTROLLER
from perf.controller import Controller
from perf.figures import Figure
from perf.manifests import SYSTEM, budget
from perf.scenario import Scenario
from perf.writes import AuditLog

COUNT, AT_ONCE = 1_000, 100
STATUS = "patch ratebudgets/status"


def measure(setting: Setting) -> Outcome:
    """All are created at once; each pod ends a second after it began."""
    number = setting.size(COUNT)
    folder = setting.folder / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    short = folder / "stages.yaml"
    short.write_text(STAGES.read_text().replace("durationMilliseconds: 5000", "durationMilliseconds: 1000"))
    with Bed(setting.cluster, folder, short) as bed, Controller(bed.cluster, folder) as controller:
        bed.watch_process("controller", controller.pid)
        bed.apply(budget(SYSTEM, setting.size(AT_ONCE)))
        bed.settle("AgentSession")
        say(f"{number} sessions through a budget of {setting.size(AT_ONCE)} at once")
        log = AuditLog(bed.cluster.audit_log)
        loaded = bed.load(Scenario("AgentSession", number, "budget", until_done=True, seconds=60 + number / 5))
        found = side(loaded, log.lines(), CONTROLLER, controller)
    record = loaded.record
    values = {
        "rate": record.rate,
        "settled_seconds": (record.done or 0) - min(record.sent),
        "budget_writes_per_session": found.writes[STATUS] / number,
        "writes_per_session": found.writes.total() / number,
        "cpu_ms_per_session": 1000 * loaded.until_done["controller"] / number,
    }
    return Outcome(values, {"sessions": details(found, number)})


BUDGET = Benchmark(
    "budget",
    "1,000 sessions through a budget",
    "1,000 ephemeral sessions are created as fast as 16 callers can; a RateBudget of the system namespace lets 100 run at once. Pods end one second "
    "after they began. Each session that has to wait is told so (one write), and every admission stands in the status of the budget before its pod is "
    "created. The rate counts from the first POST to the last pod object.",
    (
        Figure("rate", "sessions with a pod per second", "/s", "higher", goal=43, gated=True),
        Figure("settled_seconds", "first POST → last session `Succeeded`", "s", "lower"),
        Figure("budget_writes_per_session", "writes of the budget per session", "", "lower", goal=0.1),
        Figure("writes_per_session", "API writes per session, those of the budget included", "", "lower"),
        Figure("cpu_ms_per_session", "controller CPU per session, start to settlement", "ms", "lower"),
    ),
    measure,
)
