"""Runs other programs: quietly when they succeed, with the end of what they said when they fail."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from imagebuild.errors import BuildError

TAIL = 2000  # characters of a failed program's output that are worth showing


def run(command: Sequence[str], purpose: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """The standard output of `command`; `purpose` completes the sentence "… failed while …"."""
    if not shutil.which(command[0]):
        raise BuildError(f"The program {command[0]} is needed for {purpose} and is not installed: run `make setup`, or install it by hand.")
    environment = {**os.environ, **(env or {})}
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = f"{done.stdout}\n{done.stderr}".strip()[-TAIL:]
        raise BuildError(f"{command[0]} failed while {purpose} (exit code {done.returncode}). It said:\n{said}")
    return done.stdout
