"""Process 1 of a cluster, and of each node in it: sets up its namespaces, starts the components, restarts what dies, reaps orphans.

    python -m devcluster.supervisor FOLDER/supervisor.json

Killing this process is the whole teardown: the kernel then kills every process of its pid namespace, and with the last process go the
mounts, interfaces and iptables rules. A component that dies is started again after half a second, unless a marker file says otherwise
(see `components`); SIGHUP makes the supervisor look at the markers.
"""

import json
import os
import select
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from devcluster.components import Component, Plan, read_plan, stopped_marker
from devcluster.mounts import set_up

RESTART_AFTER = 0.5  # seconds
ASK_EVERY = 0.1  # seconds between two questions whether a URL answers
IDLE = 60.0  # seconds; only a safety net, signals wake the loop


class Process:
    """One component and what became of it."""

    def __init__(self, component: Component) -> None:
        self.component = component
        self.pid: int | None = None
        self.exit: int | None = None
        self.starts = 0
        self.not_before = 0.0

    def start(self, log: Path) -> None:
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.component.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=self.component.descriptors,
            )
        process.returncode = 0  # reaped here, not by subprocess
        self.pid, self.starts = process.pid, self.starts + 1

    def ended(self, status: int) -> None:
        self.pid, self.exit = None, os.waitstatus_to_exitcode(status)
        self.not_before = time.monotonic() + RESTART_AFTER


class Supervisor:
    """The loop: start what is due, write the status, sleep until a signal or the next due start."""

    def __init__(self, plan: Plan) -> None:
        self._folder = Path(plan.folder)
        self._processes = [Process(component) for component in plan.components]
        self._answering: set[str] = set()
        self._tls = ssl.create_default_context(cafile=plan.ca)
        self._written = ""

    def run(self) -> None:
        wakeup = _wakeup_on_signals()
        while True:
            pause = self._start_due()
            self._write_status()
            if select.select([wakeup], [], [], pause)[0]:
                os.read(wakeup, 4096)
            self._reap()

    def _start_due(self) -> float:
        """Start what may start; seconds until something else may."""
        now, pause = time.monotonic(), IDLE
        for process in self._processes:
            component = process.component
            if process.pid is not None or stopped_marker(self._folder, component.name).exists():
                continue
            if process.not_before > now:
                pause = min(pause, process.not_before - now)
            elif process.starts == 0 and not all(map(self._answers, component.after)):
                pause = min(pause, ASK_EVERY)
            else:
                process.start(self._folder / "logs" / f"{component.name}.log")
        return pause

    def _answers(self, url: str) -> bool:
        """Whether the URL answers 200, or the socket is there; a URL is asked again only until it once did."""
        if url.startswith("unix:"):
            return Path(url.removeprefix("unix:")).exists()
        if url in self._answering:
            return True
        try:
            with urllib.request.urlopen(url, timeout=1, context=self._tls if url.startswith("https") else None):
                self._answering.add(url)
        except (urllib.error.URLError, OSError):
            return False
        return True

    def _reap(self) -> None:
        """Collect ended children; unknown ones are orphans that process 1 inherits (the shims of containerd, for one)."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for process in self._processes:
                if process.pid == pid:
                    process.ended(status)

    def _write_status(self) -> None:
        status = {process.component.name: {"pid": process.pid, "starts": process.starts, "exit": process.exit} for process in self._processes}
        text = json.dumps(status)
        if text != self._written:
            partial = self._folder / "components.json.partial"
            partial.write_text(text)
            partial.rename(self._folder / "components.json")
            self._written = text


def _wakeup_on_signals() -> int:
    """A descriptor that turns readable when a child ends or SIGHUP comes."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return readable


def main() -> None:
    """Entry point of `python -m devcluster.supervisor`."""
    plan = read_plan(Path(sys.argv[1]))
    os.chdir("/")
    set_up(plan.setup, Path(plan.folder))
    Supervisor(plan).run()


if __name__ == "__main__":
    main()
