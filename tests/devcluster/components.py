"""What the init of a cluster or of a node is told: how to set up its namespaces and which processes to keep running.

`up` writes it as JSON, `supervisor` reads it as process 1 of the new namespaces.

    <folder>/supervisor.json      the Plan
    <folder>/components.json      written by the supervisor: {name: {"pid": inside pid | null, "starts": n, "exit": code | null}}
    <folder>/stopped/<name>       a marker file: do not restart this component
    <folder>/logs/<name>.log      what it printed
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Component:
    """A process to keep running. `after`: URLs that must answer 200, or sockets (`unix:PATH`) that must be there, before the
    first start; `descriptors` are handed on, no others."""

    name: str
    argv: list[str]
    after: list[str] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Setup:
    """What process 1 does to its fresh namespaces, in this order."""

    hostname: str
    tmpfs: list[str] = field(default_factory=list)
    private: list[str] = field(default_factory=list)  # folders of the machine whose changes must stay inside
    binds: list[tuple[str, str]] = field(default_factory=list)
    fixed: dict[str, str] = field(default_factory=dict)  # files of /proc/sys that get a private copy
    sysctls: dict[str, str] = field(default_factory=dict)
    commands: list[list[str]] = field(default_factory=list)
    shared: bool = False  # mounts made here are seen by the containers


@dataclass(frozen=True)
class Plan:
    """Everything one supervisor needs to know."""

    folder: str
    ca: str
    setup: Setup
    components: list[Component]

    def write(self) -> Path:
        """Write supervisor.json and make the folders it needs."""
        folder = Path(self.folder)
        for name in ("logs", "stopped"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        path = folder / "supervisor.json"
        path.write_text(json.dumps(asdict(self), indent=1))
        return path


def read_plan(path: Path) -> Plan:
    """The Plan that `write` wrote."""
    data: dict[str, Any] = json.loads(path.read_text())
    setup = Setup(**{**data["setup"], "binds": [(source, target) for source, target in data["setup"]["binds"]]})
    return Plan(data["folder"], data["ca"], setup, [Component(**component) for component in data["components"]])


def stopped_marker(folder: Path, component: str) -> Path:
    """While this file exists the supervisor of `folder` does not restart `component`."""
    return folder / "stopped" / component


def read_status(folder: Path) -> dict[str, dict[str, Any]]:
    """What the supervisor of `folder` last wrote; empty before its first start."""
    try:
        status: dict[str, dict[str, Any]] = json.loads((folder / "components.json").read_text())
    except FileNotFoundError:
        return {}
    return status
