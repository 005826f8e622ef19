"""Measures, and writes docs/benchmarks.md.

    python tests/perf/run.py                      everything but `hour`, once (`make bench`)
    python tests/perf/run.py burst steady         only these (`make bench ARGS="burst steady"`)
    python tests/perf/run.py burst --runs 5       median and spread of five
    python tests/perf/run.py burst --small        a tenth of the size: tries the benchmark out and writes no page
    python tests/perf/run.py burst --profile      with cProfile in the controller
    python tests/perf/run.py --check              do the last measurements keep to range.json?
    python tests/perf/run.py --set-range          make the last measurements (five runs at least) the new range.json

Needs Linux and root, like the embedded cluster. Figures of time are worth something only on a quiet machine.
"""

from __future__ import annotations

import argparse
import signal
import sys

from perf import ranges, results
from perf.admission import ADMISSION
from perf.benchmark import Benchmark, CannotMeasure, Setting, say
from perf.budget import BUDGET
from perf.burst import BURST
from perf.failover import FAILOVER
from perf.figures import written
from perf.gateway import GATEWAY
from perf.ledger import LEDGER
from perf.load import HOURLONG, LOAD
from perf.machine import BUSY, busy_share, machine
from perf.real_pods import REAL_PODS
from perf.results import Measured
from perf.scale import SCALE
from perf.steady import STEADY

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (BURST, SCALE, STEADY, LOAD, HOURLONG, REAL_PODS, GATEWAY, LEDGER, BUDGET, FAILOVER, ADMISSION)
}  # fmt: skip
ONLY_BY_NAME = (HOURLONG,)
SMALL = 0.1
LOOK = 3.0
"""Seconds for which the machine is looked at before each run."""


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that clusters and processes are removed then, too
    chosen = [BENCHMARKS[name] for name in options.names] or [each for each in BENCHMARKS.values() if each not in ONLY_BY_NAME]
    if options.check:
        return check(chosen)
    if options.set_range:
        return set_range(chosen)
    failed = [benchmark.name for benchmark in chosen if not measure(benchmark, options)]
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; default: all but hour", choices=[*BENCHMARKS, []])
    found.add_argument("--runs", type=int, default=1, help="how often; the page shows median and spread")
    found.add_argument("--small", action="store_true", help="a tenth of the size, and no page")
    found.add_argument("--profile", action="store_true", help="cProfile in the controller; build/perf/NAME/…/controller.prof")
    found.add_argument("--cluster", default="perf", help="name of the embedded cluster that is made for each run (default: perf)")
    found.add_argument("--check", action="store_true", help="measure nothing: compare the last measurements with range.json")
    found.add_argument("--set-range", action="store_true", help="measure nothing: make the last measurements the new range.json")
    return found


def measure(benchmark: Benchmark, options: argparse.Namespace) -> bool:
    """All runs of one benchmark, written down; False when it cannot be measured here."""
    setting = Setting(options.cluster, results.JSON_FOLDER / benchmark.name, SMALL if options.small else 1.0, options.profile)
    words = " ".join([benchmark.name, *([f"--runs {options.runs}"] if options.runs > 1 else [])])
    found = Measured(benchmark.name, f'make bench ARGS="{words}"', machine(), [], [])
    for number in range(options.runs):
        busy = busy_share(LOOK)
        say(f"{benchmark.name}: run {number + 1} of {options.runs}; other work uses {100 * busy:.0f} % of the cores")
        if busy > BUSY:
            say("the machine is not quiet: figures of time will be too high")
        try:
            found.add(busy, benchmark.measure(setting))
        except CannotMeasure as reason:
            say(f"{benchmark.name}: not measured: {reason}")
            return False
        if not options.small and not options.profile:  # after each run: one that is stopped keeps what it has
            found.write()
            results.publish(list(BENCHMARKS), {benchmark.name: results.section(benchmark, found)})
    show(benchmark, found)
    return True


def show(benchmark: Benchmark, found: Measured) -> None:
    """The figures on stdout."""
    print(f"\n{benchmark.title}")
    for figure in benchmark.figures:
        if figure.name in found.summary:
            summary = found.summary[figure.name]
            spread = f"  ({written(summary.low)} – {written(summary.high)})" if summary.runs > 1 else ""
            print(f"  {figure.title:60} {written(summary.median):>10} {figure.unit}{spread}")


def check(chosen: list[Benchmark]) -> int:
    """Exit code 1 when a gate is broken or nothing was measured."""
    gates = ranges.load()
    problems: list[str] = []
    seen = 0
    for benchmark in chosen:
        found = results.read(benchmark.name)
        if found is not None and benchmark.name in gates:
            seen += 1
            problems += ranges.broken(benchmark, found, gates[benchmark.name])
    for problem in problems:
        print(problem)
    if not seen:
        print("nothing to check: measure first")
        return 1
    print(f"{seen} benchmark{'s' if seen > 1 else ''} checked, {len(problems) or 'none'} out of range")
    return 1 if problems else 0


def set_range(chosen: list[Benchmark]) -> int:
    """Gates from the last measurements of these benchmarks; the others keep theirs."""
    gates = ranges.load()
    try:
        for benchmark in chosen:
            found = results.read(benchmark.name)
            if found is not None:
                gates[benchmark.name] = ranges.gates_of(benchmark, found)
    except ValueError as problem:
        print(problem)
        return 1
    ranges.save(gates)
    return 0


if __name__ == "__main__":
    sys.exit(main())
