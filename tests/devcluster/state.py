"""What is remembered of a cluster between two commands: one folder, one JSON file with its shape and its first process.

<state>/<name>/cluster.json     this record
<state>/<name>/kubeconfig       for use outside, at 127.0.0.1
<state>/<name>/pki, etcd, audit.log, logs, volumes/<persistent volume>, nodes/<node>/…
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from devcluster import network
from devcluster.errors import DevclusterError
from devcluster.namespaces import ProcessId


@dataclass(frozen=True)
class Shape:
    """What was asked for; `up` on a running cluster of the same shape does nothing."""

    nodes: int = 1
    kwok: int = 0
    kwok_stages: str = ""

    @property
    def node_names(self) -> list[str]:
        return network.node_names(self.nodes)

    def describe(self) -> str:
        """For messages: `2 nodes`, `control plane only, 20 kwok nodes`."""
        real = "control plane only" if self.nodes == 0 else f"{self.nodes} node{'s' if self.nodes > 1 else ''}"
        return f"{real}, {self.kwok} kwok nodes" if self.kwok else real


@dataclass(frozen=True)
class Record:
    """A cluster that was started. `outer` is the process that holds the namespaces, `init` process 1 in them."""

    shape: Shape
    outer: ProcessId
    init: ProcessId
    port: int
    programs: str
    ready: bool = False

    def running(self) -> bool:
        return self.init.alive()


def check_shape(shape: Shape) -> None:
    """Refuse what can't be built, before anything is started."""
    if shape.nodes > network.MAX_NODES:
        raise DevclusterError(f"At most {network.MAX_NODES} real nodes fit into the address plan: use --kwok for more.")
    if shape.nodes < 0 or shape.kwok < 0:
        raise DevclusterError("The number of nodes can't be negative.")
    if shape.nodes == 0 and shape.kwok == 0:
        raise DevclusterError("A cluster needs a node: give --nodes 1 or more, or --control-plane-only together with --kwok N.")
    if shape.kwok_stages and shape.kwok == 0:
        raise DevclusterError("--kwok-stages needs --kwok N: stages are for fake nodes.")


def save(folder: Path, record: Record) -> None:
    """Write cluster.json in one step."""
    partial = folder / "cluster.json.partial"
    partial.write_text(json.dumps(asdict(record), indent=1))
    partial.rename(folder / "cluster.json")


def load(folder: Path) -> Record | None:
    """The record, or None if the cluster was never started (or `down` removed it)."""
    try:
        data = json.loads((folder / "cluster.json").read_text())
    except FileNotFoundError:
        return None
    return Record(
        shape=Shape(**data["shape"]),
        outer=ProcessId(**data["outer"]),
        init=ProcessId(**data["init"]),
        port=data["port"],
        programs=data["programs"],
        ready=data["ready"],
    )
