"""kubectl and helm: those of this machine, else those that the embedded cluster is built with."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demonstration.errors import DemoError
from devcluster.build import KUBERNETES, ensure_family
from devcluster.progress import Progress

TAIL = 2000  # characters of a failed program's output that are worth showing


def find(program: str) -> str:
    """Path of kubectl or helm; builds it with Go if need be."""
    return shutil.which(program) or str(ensure_family(KUBERNETES, Progress()) / program)


class Tools:
    """Runs kubectl and helm against one cluster."""

    def __init__(self, kubeconfig: str, context: str = "", find_program: Callable[[str], str] = find) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self.find = find_program

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard output of a kubectl command."""
        flags = ["--context", self._context] if self._context else []
        return self._run([self.find("kubectl"), *flags, *arguments], stdin)

    def helm(self, *arguments: str) -> str:
        flags = ["--kube-context", self._context] if self._context else []
        return self._run([self.find("helm"), *flags, *arguments], None)

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object, or {} if there is none."""
        found = self.kubectl("get", *arguments, "--ignore-not-found", "-o", "json")
        return dict(json.loads(found)) if found.strip() else {}

    def _run(self, command: list[str], stdin: str | None) -> str:
        environment = {**os.environ, **({"KUBECONFIG": self._kubeconfig} if self._kubeconfig else {})}
        done = subprocess.run(command, input=stdin if stdin is not None else "", env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            words = " ".join([Path(command[0]).name, *command[1:]])
            raise DemoError(f"{words} failed:\n{(done.stderr or done.stdout).strip()[-TAIL:]}")
        return done.stdout
