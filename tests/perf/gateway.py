"""What the gateway beside each agent adds to the first byte: the program of its own, gateway_first_byte.py, as one of the benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from perf.benchmark import Benchmark, CannotMeasure, Outcome, Setting, say
from perf.figures import Figure

PROGRAM = Path(__file__).with_name("gateway_first_byte.py")
REQUESTS = 600


def measure(setting: Setting) -> Outcome:
    """Run it, and take the figures that matter from its JSON."""
    count = setting.size(REQUESTS)
    say(f"{count} requests through the gateway and as many beside it")
    done = subprocess.run([sys.executable, str(PROGRAM), "--requests", str(count)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMeasure(f"{PROGRAM.name} failed: {done.stderr[-1000:]}")
    found = json.loads(done.stdout)
    values = {
        "added_p50_ms": found["added_ms"]["p50"],
        "added_p99_ms": found["added_ms"]["p99"],
        "direct_p50_ms": found["direct_ms"]["p50"],
        "through_p50_ms": found["through_ms"]["p50"],
        "floor_p50_ms": found["floor_ms"]["p50"],
        "resident_mib": found["memory_after_mb"]["VmRSS"],
    }
    return Outcome(values, found)


GATEWAY = Benchmark(
    "gateway",
    "The gateway beside each agent",
    "Requests as large as the CLI's go in pairs to a provider on the same machine, one straight and one through the gateway, in alternating order.",
    (
        Figure("added_p50_ms", "added to the first byte, p50", "ms", "lower", goal=5),
        Figure("added_p99_ms", "added to the first byte, p99", "ms", "lower"),
        Figure("direct_p50_ms", "first byte straight, p50", "ms"),
        Figure("through_p50_ms", "first byte through the gateway, p50", "ms"),
        Figure("floor_p50_ms", "difference between two straight requests, p50", "ms"),
        Figure("resident_mib", "memory of the gateway", "MiB", "lower", goal=60, gated=True),
    ),
    measure,
)
