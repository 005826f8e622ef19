"""The session's files in the workspace, and what the repository has to say.

The workspace belongs to the agent: any folder in it may have become a link to somewhere else since the last attempt. So a path is
walked folder by folder on open descriptors, no link is followed, and a file appears under its name only when it is complete.
"""

import contextlib
import os
import stat

from .description import File
from .errors import INPUT_INVALID, Failed
from .paths import Paths
from .result import cut

GUIDANCE_FILES = ("CLAUDE.md", ".claude/CLAUDE.md")
GUIDANCE_BYTES = 32 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def write_files(files: tuple[File, ...], paths: Paths, *, overwrite: bool) -> None:
    """Write the session's files; those that are there already only if `overwrite` (the agent may have worked on them)."""
    for file in files:
        try:
            _write(file, paths, overwrite)
        except OSError as error:
            raise Failed(INPUT_INVALID, f"cannot write {file.path}: {error.strerror}") from None


def read_input(path: str, paths: Paths) -> bytes:
    """The content of a projected input, which must lie below `/run/stint/inputs`."""
    place = os.path.normpath(os.path.join("/run/stint/inputs", path))
    if not place.startswith("/run/stint/inputs/"):
        raise Failed(INPUT_INVALID, f"{path} is not below /run/stint/inputs")
    try:
        with open(paths.at(place), "rb") as file:
            return file.read()
    except OSError as error:
        raise Failed(INPUT_INVALID, f"cannot read {path}: {error.strerror}") from None


def read_prompt(prompt: str | None, prompt_file: str | None, paths: Paths) -> str:
    if prompt is not None:
        return prompt
    assert prompt_file is not None
    try:
        return read_input(prompt_file, paths).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failed(INPUT_INVALID, f"the prompt is not UTF-8: {error.reason} at byte {error.start}") from None


def read_guidance(workspace: str) -> tuple[str, str] | None:
    """Name and text (at most 32 KiB) of the repository's CLAUDE.md. A link that leaves the workspace is not followed: it could name
    the runner's own environment, and the text goes to the model."""
    for name in GUIDANCE_FILES:
        place = os.path.realpath(os.path.join(workspace, name))
        if not place.startswith(os.path.realpath(workspace) + "/"):
            continue
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                continue
            text = file.read(GUIDANCE_BYTES + 4).decode("utf-8", "replace")
        if text.strip():
            return name, cut(text, GUIDANCE_BYTES)
    return None


def _write(file: File, paths: Paths, overwrite: bool) -> None:
    *folders, name = _parts(file.path)
    with contextlib.ExitStack() as opened:
        folder = os.open(paths.workspace, _FOLDER)
        opened.callback(os.close, folder)
        for part in folders:
            folder = _enter(folder, part, file.path)
            opened.callback(os.close, folder)
        if overwrite or not _exists(folder, name):
            content = read_input(file.file, paths) if file.file is not None else (file.content or "").encode("utf-8", "replace")
            _place(folder, name, content, file.mode & 0o777)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise Failed(INPUT_INVALID, f"the path {path!r} is not a plain path below the workspace")
    return parts


def _enter(parent: int, name: str, path: str) -> int:
    """The descriptor of a folder, made if it is missing."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        raise Failed(INPUT_INVALID, f"cannot write {path}: {name} is a link or no folder ({error.strerror})") from None


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _place(folder: int, name: str, content: bytes, mode: int) -> None:
    """Write beside the name and rename over it: a link of that name is replaced, not followed."""
    draft = f".stint-{os.getpid()}.draft"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=folder)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    with open(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, mode)
    os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
