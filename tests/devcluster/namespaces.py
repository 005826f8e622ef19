"""Enters and leaves Linux namespaces, and finds processes that live in them.

util-linux does the system calls (`unshare`, `nsenter`). Processes are named by the pid they have inside; from outside they are found by the
line NSpid of /proc/PID/status, which lists a process's pid in each namespace from the reader's inwards.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

UNSHARE = ["unshare", "--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
WITH_RESOLVER = 'mount --bind "$0" /etc/resolv.conf 2>/dev/null; exec "$@"'


@dataclass(frozen=True)
class ProcessId:
    """A pid with its start time (clock ticks after boot), so that a re-used pid is never taken for the old process."""

    pid: int
    started: int

    def alive(self) -> bool:
        return start_time(self.pid) == self.started


def start_time(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat, or None if there is no such process or it is only waiting to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def process_id(pid: int) -> ProcessId:
    """The identity of a running process."""
    return ProcessId(pid, start_time(pid) or 0)


def unshared(argv: list[str], network: bool) -> list[str]:
    """A command line that runs `argv` as process 1 of new namespaces; with or without a network of its own."""
    return [*UNSHARE, *(["--net"] if network else []), *argv]


def in_network(namespace: str, argv: list[str]) -> list[str]:
    """A command line that runs `argv` in the network namespace file `namespace`, and otherwise where the caller is."""
    return ["nsenter", f"--net={namespace}", *argv]


def in_network_with_names(namespace: str, resolv_conf: Path, argv: list[str]) -> list[str]:
    """Like `in_network`, and names of Services resolve too. Every link of the chain execs the next: the pid is that of `argv`."""
    chain = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", WITH_RESOLVER, str(resolv_conf), *argv]
    return in_network(namespace, chain)


def child_of(parent: int) -> int | None:
    """The one child of `unshare`: process 1 of the namespaces it made."""
    for pid in _pids():
        with suppress(OSError, IndexError):
            if int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == parent:
                return pid
    return None


def outside_pids(init: int) -> dict[int, int]:
    """For each process directly in the pid namespace of process `init`: pid inside -> pid outside."""
    try:
        namespace = os.readlink(f"/proc/{init}/ns/pid")
    except OSError:
        return {}
    found = {}
    for pid in _pids():
        with suppress(OSError, StopIteration):
            if os.readlink(f"/proc/{pid}/ns/pid") == namespace:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                found[int(next(line for line in lines if line.startswith("NSpid:")).split()[-1])] = pid
    return found


def wait_gone(process: ProcessId, seconds: float) -> bool:
    """Wait until the process has ended; False if it has not after `seconds`."""
    deadline = time.monotonic() + seconds
    while process.alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
