"""Where things are kept: what is worth keeping (binaries, images) in the cache, what belongs to a running cluster in the state folder.

Both follow the XDG variables, so that a CI job can keep the cache between runs and a test can point the state at a scratch folder.
"""

import os
import re
from pathlib import Path

from devcluster.errors import DevclusterError

HERE = Path(__file__).parent
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")


def cache_root() -> Path:
    """Folder of built binaries, images and locks; safe to delete when no cluster runs."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def state_root() -> Path:
    """Folder that holds one folder per running cluster."""
    return _xdg("XDG_STATE_HOME", ".local/state")


def state_of(name: str) -> Path:
    """The folder of the cluster `name`."""
    if not NAME.fullmatch(name):
        raise DevclusterError(f"Cluster name {name!r} is not allowed: use up to 30 lower-case letters, digits and inner hyphens.")
    return state_root() / name


def lock_file(name: str) -> Path:
    """A file to lock, outside the folders that `down` removes."""
    folder = cache_root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.lock"


def _xdg(variable: str, fallback: str) -> Path:
    base = os.environ.get(variable) or os.path.join(os.path.expanduser("~"), fallback)
    return Path(base).resolve() / "stint" / "devcluster"
