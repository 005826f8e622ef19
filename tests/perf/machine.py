"""On what it was measured, and how busy the machine was with other things: figures without that mean nothing."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

CORES = len(os.sched_getaffinity(0))
BUSY = 0.05
"""Share of all cores. A neighbour that takes more makes figures of time worthless."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a reader needs to judge the figures; no names and no paths."""

    cores: int
    processor: str
    memory_gib: int
    kernel: str
    python: str

    def describe(self) -> str:
        return f"{self.cores} cores ({self.processor}), {self.memory_gib} GiB, Linux {self.kernel}, Python {self.python}"

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def machine() -> Machine:
    """This machine."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), platform.machine())
    memory = next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    kernel = ".".join(platform.release().split("-")[0].split(".")[:2])
    return Machine(CORES, model, round(memory / 2**20), kernel, platform.python_version())


def busy_share(seconds: float) -> float:
    """Which share of all cores is in use, seen over so many seconds."""
    before, idle_before = _ticks()
    time.sleep(seconds)
    after, idle_after = _ticks()
    return 1 - (idle_after - idle_before) / max(1, after - before)


def used_seconds() -> float:
    """CPU seconds that all processes and the kernel have used since the machine started."""
    total, idle = _ticks()
    return (total - idle) / os.sysconf("SC_CLK_TCK")


def _ticks() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields), fields[3] + fields[4]
