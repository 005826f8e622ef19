"""What the demo made, in a small file under ~/.local/state/stint: whoever removes it must not depend on today's environment variables."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from demonstration.choice import Sort


@dataclass(frozen=True)
class Record:
    """`cluster`: name of an embedded or kind cluster. `kubeconfig` and `context` reach it; empty means kubectl's default."""

    sort: Sort
    cluster: str
    kubeconfig: str
    context: str


def state_folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "stint/demo"


def file_of(cluster: str) -> Path:
    return state_folder() / f"{cluster}.json"


def kubeconfig_of(cluster: str) -> Path:
    """Where the kubeconfig of a kind cluster is kept."""
    return state_folder() / f"{cluster}.kubeconfig"


def save(record: Record) -> None:
    file = file_of(record.cluster)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(record), indent=2) + "\n")


def load(cluster: str) -> Record | None:
    file = file_of(cluster)
    return Record(**json.loads(file.read_text())) if file.exists() else None


def forget(cluster: str) -> None:
    file_of(cluster).unlink(missing_ok=True)
    kubeconfig_of(cluster).unlink(missing_ok=True)
