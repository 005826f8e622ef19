"""Removes a cluster without a trace: kill process 1, wait for the kernel, remove the cgroups and the folder."""

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from devcluster import cgroups
from devcluster.errors import DevclusterError
from devcluster.namespaces import ProcessId, wait_gone
from devcluster.progress import Progress
from devcluster.state import load

GONE_WITHIN = 30.0  # seconds


def remove(name: str, state: Path, progress: Progress) -> bool:
    """End the cluster `name`; False if there was nothing to remove. Safe after a crash or a reboot: a re-used pid is never killed."""
    if not state.exists():
        return False
    record = load(state)
    with progress.step(f"ending all processes of cluster {name}", usually="2 s, with hundreds of pods half a minute"):
        if record:
            for process in (record.init, record.outer):
                end(process)
        cgroups.remove(name)
    with progress.step(f"removing the files of cluster {name}", usually="2 s, with hundreds of pods 15 s"):
        shutil.rmtree(state)
    return True


def end(process: ProcessId) -> None:
    """SIGKILL, and wait until it is gone. For process 1 of a pid namespace that is when every process in there is gone."""
    if process.alive():
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        if not wait_gone(process, GONE_WITHIN):
            raise DevclusterError(f"Process {process.pid} does not end: look at what it waits for in /proc/{process.pid}/stack.")
    with suppress(ChildProcessError):  # collect it, if this very process started it
        os.waitpid(process.pid, os.WNOHANG)
