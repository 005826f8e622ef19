"""Where things stand in the pod.

Everything hangs below one root, which is `/` in a pod and a temporary folder in tests (`STINT_ROOT`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Paths:
    root: str = ""

    @staticmethod
    def of(environ: Mapping[str, str]) -> "Paths":
        return Paths(environ.get("STINT_ROOT", "").rstrip("/"))

    def at(self, path: str) -> str:
        """The place of an absolute path of the contract."""
        return self.root + path

    @property
    def description(self) -> str:
        return self.at("/run/stint/run/run.json")

    @property
    def inputs(self) -> str:
        return self.at("/run/stint/inputs")

    @property
    def git_secret(self) -> str:
        return self.at("/run/stint/git")

    @property
    def source(self) -> str:
        """The volume of the session that is continued, read-only."""
        return self.at("/run/stint/source")

    @property
    def workspace(self) -> str:
        return self.at("/workspace")

    @property
    def config(self) -> str:
        """`CLAUDE_CONFIG_DIR`: the CLI's own state, which outlives the pod."""
        return self.at("/var/lib/stint/claude")

    @property
    def home(self) -> str:
        return self.at("/home/agent")

    @property
    def tmp(self) -> str:
        return self.at("/tmp")  # noqa: S108 - an emptyDir of this container alone

    @property
    def termination_message(self) -> str:
        return self.at("/dev/termination-log")

    def transcripts(self, config: str | None = None) -> str:
        """The folder of the workspace's transcripts; the CLI names it after its working directory, with `-` for all but letters and digits."""
        munged = "".join(char if char.isascii() and char.isalnum() else "-" for char in self.workspace)
        return os.path.join(self.config if config is None else config, "projects", munged)
