"""A steady stream: how soon after its creation a session has its pod, beside a Job in the same run."""

from __future__ import annotations

from perf.bed import Bed
from perf.benchmark import Benchmark, Outcome, Setting, say
from perf.controller import Controller
from perf.figures import Figure, Values, percentile
from perf.manifests import Kind
from perf.scenario import Scenario

SECONDS = 60
RATES = (5, 20)
KINDS: tuple[tuple[str, Kind], ...] = (("session", "AgentSession"), ("job", "Job"))


def measure(setting: Setting) -> Outcome:
    """Both rates, sessions and then Jobs, on one cluster."""
    values: Values = {}
    folder = setting.folder / "sessions"
    with Bed(setting.cluster, folder) as bed, Controller(bed.cluster, folder) as controller:
        bed.watch_process("controller", controller.pid)
        for name, kind in KINDS:
            bed.settle(kind)
            for rate in RATES:
                count = setting.size(rate * SECONDS)
                say(f"{count} of {kind} at {rate} a second")
                loaded = bed.load(Scenario(kind, count, f"at-{rate}", rate=rate, in_flight=32, until_done=True, seconds=SECONDS + 120))
                starts = [1000 * seconds for seconds in loaded.record.starts]
                for percent in (50, 99):
                    values[f"{name}_{rate}_p{percent}_ms"] = percentile(starts, percent)
                if kind == "AgentSession":
                    values[f"cpu_{rate}_ms_per_session"] = 1000 * loaded.until_done["controller"] / count
    for rate in RATES:
        values[f"ratio_{rate}_p50"] = values[f"session_{rate}_p50_ms"] / values[f"job_{rate}_p50_ms"]
    return Outcome(values)


def _figures(rate: int, goal: float) -> tuple[Figure, ...]:
    return (
        Figure(f"session_{rate}_p50_ms", f"{rate}/s: session created → pod object, p50", "ms", "lower"),
        Figure(f"session_{rate}_p99_ms", f"{rate}/s: session created → pod object, p99", "ms", "lower", goal=goal),
        Figure(f"job_{rate}_p50_ms", f"{rate}/s: Job created → pod object, p50", "ms"),
        Figure(f"job_{rate}_p99_ms", f"{rate}/s: Job created → pod object, p99", "ms"),
        Figure(f"ratio_{rate}_p50", f"{rate}/s: session beside Job, p50", "×", "lower", gated=True),
        Figure(f"cpu_{rate}_ms_per_session", f"{rate}/s: controller CPU per session", "ms", "lower", gated=True),
    )


STEADY = Benchmark(
    "steady",
    "Sessions one after the other",
    "5 and then 20 sessions a second, at fixed moments, for a minute each; then Jobs in the same way on the same cluster. The clock runs from the "
    "answer to the POST until a watch shows the pod object, both seen by the load generator. At 20 a second two cores have hardly any time left, most of "
    "it spent by the API server on the changes of pods: who waits longest waits for a core.",
    (*_figures(5, 25), *_figures(20, 50)),
    measure,
)
