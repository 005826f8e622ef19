"""Runs inside an image while it is built, with the image's own Python: adds the user, the import path and the bytecode.

Standard library only; it works in images without a shell. Bytecode is of the kind `unchecked-hash`: it holds no time, so the same source
gives the same layer, and it stays valid whatever time a layer gives its files. Nothing can go stale: the root file system is read-only.
"""

import argparse
import compileall
import os
import sys
import sysconfig
from pathlib import Path
from py_compile import PycInvalidationMode

IMPORT_PATH = ("/opt/stint/code", "/opt/stint/deps")


def main() -> int:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    base = commands.add_parser("base")
    base.add_argument("--user", required=True)
    base.add_argument("--uid", type=int, required=True)
    base.add_argument("--home", required=True)
    compiling = commands.add_parser("compile")
    compiling.add_argument("folder")
    compiling.add_argument("--root", default="/", help="what to take for the root folder in the paths that tracebacks show")
    arguments = parser.parse_args()
    if arguments.command == "compile":
        return 0 if compile_folder(arguments.folder, arguments.root) else 1
    add_user(arguments.user, arguments.uid, arguments.home)
    add_import_path()
    compile_folder(sysconfig.get_path("stdlib"), "/")
    return 0


def add_user(name: str, uid: int, home: str) -> None:
    """An entry in passwd and group: git and ssh refuse to run as somebody without a name."""
    add_line(Path("/etc/passwd"), name, f"{name}:x:{uid}:{uid}::{home}:/bin/bash")
    add_line(Path("/etc/group"), name, f"{name}:x:{uid}:")
    if not Path(home).exists():
        Path(home).mkdir(mode=0o750)
        os.chown(home, uid, uid)


def add_line(file: Path, name: str, line: str) -> None:
    lines = file.read_text().splitlines() if file.exists() else []
    if not any(each.startswith(f"{name}:") for each in lines):
        file.write_text("\n".join([*lines, line]) + "\n")


def add_import_path() -> None:
    """A .pth file instead of PYTHONPATH, which every Python that an agent starts would inherit."""
    folder = Path(sysconfig.get_path("purelib"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stint.pth").write_text("\n".join(IMPORT_PATH) + "\n")


def compile_folder(folder: str, root: str) -> bool:
    return bool(
        compileall.compile_dir(
            folder,
            maxlevels=100,
            quiet=2,
            workers=(os.cpu_count() or 1) if root == "/" else 1,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
            stripdir=root if root != "/" else None,
            prependdir="/" if root != "/" else None,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
