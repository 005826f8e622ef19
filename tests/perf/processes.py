"""CPU and memory of processes, from /proc: the kernel's own books, which cost the process nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1024  # /proc/PID/status counts in KiB

Pids = Mapping[str, int]
"""Process ids by the name under which a report shows them."""


def cpu_seconds(pid: int) -> float:
    """User and system time so far, children not included; in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid: int) -> float:
    """Memory in use now."""
    return _status(pid, "VmRSS") / MIB


def peak_mib(pid: int) -> float:
    """The most it ever was."""
    return _status(pid, "VmHWM") / MIB


def cpu_of(pids: Pids) -> dict[str, float]:
    """CPU seconds so far of each process."""
    return {name: cpu_seconds(pid) for name, pid in pids.items()}


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds between two readings."""
    return {name: after[name] - before[name] for name in after if name in before}


def _status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no {field}: it has ended")
