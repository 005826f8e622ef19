"""The end of processes: that of the CLI, and, as process 1 of the container, of everything that lost its parent.

asyncio waits for its own children only. Commands that outlive the CLI's tools become children of process 1 and would stay zombies,
so every SIGCHLD collects whatever has ended.
"""

import asyncio
import os
import signal


class Child:
    """A process of our own. `exit_code` resolves to its code, or minus the signal that ended it."""

    def __init__(self, pid: int) -> None:
        loop = asyncio.get_running_loop()
        self.pid = pid
        self.exit_code: asyncio.Future[int] = loop.create_future()
        loop.add_signal_handler(signal.SIGCHLD, self._collect)
        self._collect()

    def signal_group(self, number: int) -> None:
        """Signal the process and all that stayed in its group, also when it has ended itself."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # nobody is left
            return

    def _collect(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1 if os.getpid() == 1 else self.pid, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid and not self.exit_code.done():
                self.exit_code.set_result(os.waitstatus_to_exitcode(status))
