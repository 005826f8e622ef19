"""Looks into a running cluster from outside: which process is which, is anything dying, where is a node's containerd."""

from pathlib import Path
from typing import Any

from devcluster.components import read_status
from devcluster.errors import DevclusterError
from devcluster.namespaces import child_of, outside_pids
from devcluster.node import SOCKET, folder_of
from devcluster.state import Record

TOO_MANY_STARTS = 5
LOG_TAIL = 1500  # characters


def components(state: Path, record: Record) -> list[dict[str, Any]]:
    """Every component: {"name", "node" ("" for the control plane), "pid" (outside, null if it does not run), "starts", "exit"}."""
    rows = _rows(state, "", record.init.pid)
    for node in record.shape.node_names:
        init = node_init(state, record, node)
        rows += _rows(folder_of(state, node), node, init)
    return rows


def component_pid(state: Path, record: Record, name: str, node: str = "") -> int:
    """The pid, outside, of a component of the control plane or of a node."""
    rows = [row for row in components(state, record) if row["name"] == name and row["node"] == node]
    if not rows:
        known = ", ".join(sorted(row["name"] for row in components(state, record) if row["node"] == node))
        raise DevclusterError(f"There is no component {name!r} on {node or 'the control plane'}: there are {known}.")
    if rows[0]["pid"] is None:
        raise DevclusterError(f"The component {name} is not running.")
    pid: int = rows[0]["pid"]
    return pid


def node_init(state: Path, record: Record, node: str) -> int | None:
    """Process 1 of a node, by its pid outside; None if the node is off."""
    inside = read_status(state).get(node, {}).get("pid")
    outer = outside_pids(record.init.pid).get(inside) if inside else None
    return child_of(outer) if outer else None


def containerd_socket(state: Path, record: Record, node: str) -> Path | None:
    """The socket of a node's containerd, through the node's own file system; None if it isn't there yet."""
    init = node_init(state, record, node)
    path = Path(f"/proc/{init}/root{SOCKET}")
    return path if init and path.exists() else None


def ctr_command(state: Path, record: Record, node: str) -> list[str]:
    """The start of a `ctr` command line that talks to a node's containerd."""
    address = containerd_socket(state, record, node)
    if address is None:
        raise DevclusterError(f"Node {node} is off: start it, or load into the others.")
    return [f"{record.programs}/ctr", "--address", str(address), "--namespace", "k8s.io"]


def check_health(state: Path, record: Record) -> None:
    """Raise with the end of a log if a component keeps dying or the whole cluster is gone."""
    if not record.init.alive() and not record.outer.alive():
        raise DevclusterError(f"The cluster ended while it started: {_tail(state / 'logs' / 'init.log')}")
    for folder in (state, *(folder_of(state, node) for node in record.shape.node_names)):
        for name, status in read_status(folder).items():
            if status["starts"] >= TOO_MANY_STARTS:
                log = folder / "logs" / f"{name}.log"
                raise DevclusterError(f"{name} keeps ending (code {status['exit']}); the end of {log}:\n{_tail(log)}")


def _rows(folder: Path, node: str, init: int | None) -> list[dict[str, Any]]:
    pids = outside_pids(init) if init else {}
    status = read_status(folder)
    return [
        {"name": name, "node": node, "pid": pids.get(row["pid"]) if row["pid"] else None, "starts": row["starts"], "exit": row["exit"]}
        for name, row in status.items()
    ]


def _tail(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-LOG_TAIL:] if log.exists() else ""
