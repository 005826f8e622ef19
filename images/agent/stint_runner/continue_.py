"""`stint-runner continue`: a copy of the conversation (and, if asked, of the workspace) that this session goes on from.

The source's volume is mounted read-only and as a whole, because its folders may not be there: one whose clone failed never had an
agent. Nothing is read from it but `claude` and `workspace`, wherever the links lead that an agent has left there.

The transcript is copied last and appears under its name only when it is complete, so its being there says that everything was done
before.
"""

import os
import shutil
import stat
from collections.abc import Mapping

from .description import read_description
from .errors import CONTINUE_FAILED, Failed
from .paths import Paths
from .removal import remove
from .settle import settle
from .transcript import holds_user_message


def continue_(environ: Mapping[str, str]) -> None:
    paths = Paths.of(environ)
    wanted = read_description(paths.description).continue_from
    if wanted is None:
        return
    config = f"{paths.source}/claude"
    source = f"{paths.transcripts(config)}/{wanted.conversation}"
    target = f"{paths.transcripts()}/{wanted.conversation}"
    if os.path.lexists(f"{target}.jsonl"):
        return
    try:
        if not (_inside(config, source) and _inside(config, f"{source}.jsonl")):
            raise Failed(CONTINUE_FAILED, "a link leads out of the source session's folder: its conversation is not read")
        if not holds_user_message(f"{source}.jsonl"):
            missing = f"holds no conversation {wanted.conversation}: that session never got to its first turn"
            raise Failed(CONTINUE_FAILED, f"the volume of the source session {missing}")
        if wanted.workspace:
            settle(paths.workspace, "continue", lambda folder: _copy_tree(f"{paths.source}/workspace", folder), last=".git")
        os.makedirs(paths.transcripts(), exist_ok=True)
        if os.path.isdir(source):
            remove(target)
            _copy_tree(source, target)
        draft = f"{target}.draft"
        shutil.copyfile(f"{source}.jsonl", draft)
        os.rename(draft, f"{target}.jsonl")
    except (OSError, shutil.Error) as error:
        raise Failed(CONTINUE_FAILED, f"cannot copy from the source session: {_reason(error)}") from None


def _inside(folder: str, path: str) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(folder) + "/")


def _copy_tree(source: str, target: str) -> None:
    """Links are copied as links, pipes and sockets not at all."""
    shutil.copytree(source, target, symlinks=True, ignore=_special, dirs_exist_ok=True)


def _special(folder: str, names: list[str]) -> set[str]:
    wanted = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
    return {name for name in names if stat.S_IFMT(os.lstat(f"{folder}/{name}").st_mode) not in wanted}


def _reason(error: Exception) -> str:
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        first = error.args[0][0]
        return f"{first[2]} ({len(error.args[0])} in all)" if isinstance(first, tuple) else str(first)
    return str(error)
