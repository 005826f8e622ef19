"""Prometheus and promtool, built once from their Go module."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from devcluster.build import PROMETHEUS, ensure_family
from devcluster.progress import Progress


def program(name: str) -> str:
    """``prometheus`` or ``promtool``: of the PATH, else built."""
    return shutil.which(name) or str(ensure_family(PROMETHEUS, Progress()) / name)


def promtool(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("promtool"), *arguments], cwd=folder, env=os.environ, capture_output=True, text=True, timeout=120, check=False)
