"""The controller as a process of this machine inside a cluster's network, from source, with the identity and the rights that the chart gives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from devcluster import Cluster
from perf.manifests import SYSTEM
from perf.processes import cpu_seconds, peak_mib, resident_mib

ROOT = Path(__file__).parents[2]
ACCOUNT = "stint-controller"
USER = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"
PORT = 8080
READY_WITHIN = 60.0
ENDS_WITHIN = 40.0


class Controller:
    """One controller process. Use it as a context manager; ``started`` is when it was spawned."""

    def __init__(self, cluster: Cluster, folder: Path, profile: Path | None = None, port: int = PORT) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._cluster = cluster
        self._port = port
        self._folder = folder
        self._profile = profile
        self._log = (folder / "controller.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self.started = 0.0

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        self._log.close()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def cpu(self) -> float:
        """CPU seconds so far."""
        return cpu_seconds(self.pid)

    @property
    def resident(self) -> float:
        """MiB now."""
        return resident_mib(self.pid)

    @property
    def peak(self) -> float:
        """MiB at most so far."""
        return peak_mib(self.pid)

    def start(self) -> None:
        """Spawn it; it is not ready yet."""
        command = self._cluster.command([sys.executable, "-m", "perf.launch", *([str(self._profile)] if self._profile else [])])
        environment = self._cluster.environment({"KUBECONFIG": str(self._kubeconfig()), "STINT_SYSTEM_NAMESPACE": SYSTEM, "STINT_PORT": str(self._port)})
        self.started = time.monotonic()
        self._process = subprocess.Popen(command, env=environment, stdout=self._log, stderr=self._log, cwd=ROOT)

    def wait_ready(self) -> None:
        """Until its caches are filled: it leads, or stands by."""
        probe = ["curl", "--silent", "--fail", "--output", "/dev/null", f"http://127.0.0.1:{self._port}/readyz"]
        deadline = time.monotonic() + READY_WITHIN
        while self._cluster.exec(probe).returncode != 0:
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the controller does not get ready:\n{self.log_tail()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """SIGTERM, as kubelet does it, and in the end SIGKILL."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it this, and do not wait for what becomes of it."""
        os.kill(self.pid, number)

    def log_tail(self) -> str:
        return (self._folder / "controller.log").read_text(errors="replace")[-3000:]

    def _kubeconfig(self) -> Path:
        """A kubeconfig with a token of the service account, like the one that kubelet would project into the pod."""
        command = ["kubectl", "create", "token", ACCOUNT, "--namespace", SYSTEM, "--duration", "6h"]
        token = self._cluster.exec(command, capture_output=True, text=True, check=True).stdout.strip()
        config = json.loads(self._cluster.inner_kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        path = self._folder / "controller.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path
