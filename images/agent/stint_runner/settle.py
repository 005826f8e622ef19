"""Filling the workspace from an init container, so that a crash at any moment leaves something the next try can go on from.

The workspace is a mount point and cannot be renamed into place. So everything is made ready in a folder inside of it, that folder is
renamed (the decision), and its entries then move up one by one, the one that says "done" last:

    .stint-<what>-<pid>/   being filled; a left-over of a crash, removed by the next try
    .stint-<what>-ready/   complete; whoever finds it only goes on moving
    <last>                 all is in place
"""

import os
from collections.abc import Callable

from .removal import remove


def settle(workspace: str, what: str, fill: Callable[[str], None], last: str) -> None:
    """Fill a new folder with `fill(folder)` and move its entries into the workspace, the entry `last` at the end."""
    prefix = f"{workspace}/.stint-{what}-"
    ready = f"{prefix}ready"
    if not os.path.isdir(ready):
        for name in os.listdir(workspace):
            if f"{workspace}/{name}".startswith(prefix):
                remove(f"{workspace}/{name}")
        draft = f"{prefix}{os.getpid()}"
        os.mkdir(draft)
        fill(draft)
        os.rename(draft, ready)
    names = sorted(os.listdir(ready), key=lambda name: name == last)
    for name in names:
        target = f"{workspace}/{name}"
        remove(target)
        os.rename(f"{ready}/{name}", target)
    os.rmdir(ready)
