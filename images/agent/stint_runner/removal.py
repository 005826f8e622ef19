"""Removing a tree that somebody else filled, as fast as the interpreter starts.

`shutil.rmtree` would do, but importing `shutil` (with its archive formats) costs more than the whole clean-up; and folders that an
agent left without permissions have to go as well.
"""

import contextlib
import os
import stat


def remove(path: str) -> None:
    """Remove a file, a link (never what it points to) or a whole folder. What is not there is fine."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            _empty(path)
            os.rmdir(path)
        else:
            os.unlink(path)


def _empty(folder: str) -> None:
    with contextlib.suppress(PermissionError):
        os.chmod(folder, 0o700)
    with os.scandir(folder) as entries:
        for entry in list(entries):
            remove(entry.path)
