"""The CLI's config dir between two attempts.

It lies on the session's volume, and the agent, which runs with the same uid, could write anything into it: settings with hooks, MCP
servers, plugins, a `.claude.json` whose `env` moves the endpoint (the CLI obeys that even with `--setting-sources ''`), credentials,
memories, a CLAUDE.md. So nothing is kept but what resuming needs: the transcripts and the files beside them.

    $CLAUDE_CONFIG_DIR/projects/<munged cwd>/<conversation>.jsonl     the transcript
                                            /<conversation>/…         subagents, large tool results
"""

import os
import re
import stat
from collections.abc import Callable

from .removal import remove

_KEPT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.jsonl)?")


def clean_config(config: str) -> None:
    """Remove everything from the config dir that is not part of a transcript."""
    os.makedirs(config, exist_ok=True)
    _keep(config, lambda entry: entry.name == "projects" and _is_folder(entry))
    projects = os.path.join(config, "projects")
    if not os.path.isdir(projects):
        return
    _keep(projects, _is_folder)
    for name in os.listdir(projects):
        _keep(os.path.join(projects, name), _is_transcript)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _is_transcript(entry: os.DirEntry[str]) -> bool:
    match = _KEPT.fullmatch(entry.name)
    if match is None:
        return False
    wanted = stat.S_ISREG if match[1] else stat.S_ISDIR
    return wanted(entry.stat(follow_symlinks=False).st_mode)


def _keep(folder: str, wanted: Callable[[os.DirEntry[str]], bool]) -> None:
    with os.scandir(folder) as entries:
        for entry in list(entries):
            if not wanted(entry):
                remove(entry.path)
