"""Fetches the Claude Code CLI: the pinned npm package by the host's npm, checked against the checksum that is committed here.

npm only downloads; the package has no install script, and none would run.
"""

import base64
import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from imagebuild import recipe
from imagebuild.commands import run
from imagebuild.errors import BuildError

PACKAGE = "@anthropic-ai/claude-code-linux-{machine}"
MEMBER = "package/claude"
NPM_PINS = recipe.REPO / "hack/npm.lock"


def binary(machine: recipe.Machine, cache: Path) -> Path:
    """The CLI for `machine`, downloaded unless the cache holds this version."""
    version = recipe.cli_version()
    integrity = recipe.cli_integrity(machine)
    folder = cache / "cli" / f"{version}-{machine.npm}-{hashlib.sha256(integrity.encode()).hexdigest()[:8]}"
    target = folder / "claude"
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="npm-") as scratch:
        package = download(machine, version, Path(scratch))
        found = sha512(package)
        if found != integrity:
            raise BuildError(
                f"{package.name} has the checksum {found}, but images/agent/cli-integrity says {integrity}. Either the download is not "
                f"what it should be, or the version changed without its checksum: `python hack/images.py pin {version}` writes both."
            )
        unpacked = Path(scratch) / "claude"
        with tarfile.open(package) as archive:
            content = archive.extractfile(MEMBER)
            if content is None:
                raise BuildError(f"{package.name} holds no file {MEMBER}.")
            with unpacked.open("wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
        unpacked.chmod(0o755)
        folder.mkdir(parents=True, exist_ok=True)
        unpacked.replace(target)
    return target


def pin(version: str, cache: Path) -> None:
    """Make `version` the one that images are built with."""
    cache.mkdir(parents=True, exist_ok=True)
    lines = []
    with tempfile.TemporaryDirectory(dir=cache, prefix="npm-") as scratch:
        for name in ("x86_64", "aarch64"):
            machine = recipe.machine_named(name)
            lines.append(f"{machine.npm} {sha512(download(machine, version, Path(scratch)))}\n")
    (recipe.REPO / "images/agent/cli-version").write_text(f"{version}\n")
    (recipe.REPO / "images/agent/cli-integrity").write_text("".join(lines))


def download(machine: recipe.Machine, version: str, folder: Path) -> Path:
    """`npm pack` of the CLI's package for `machine` into `folder`."""
    package = f"{PACKAGE.format(machine=machine.npm)}@{version}"
    command = [*npm(folder), "pack", package, "--json", "--loglevel=error", "--pack-destination", str(folder)]
    said = run(
        command,
        purpose=f"downloading {package}",
        env={"PATH": f"{folder / 'node/bin'}{os.pathsep}{os.environ.get('PATH', '')}"},
        cwd=folder,
    )
    return folder / str(json.loads(said)[0]["filename"])


def npm(scratch: Path) -> list[str]:
    """The host's npm; without one, that of the pinned wheel on PyPI, which is thrown away afterwards."""
    if shutil.which("npm"):
        return ["npm"]
    folder = scratch / "node"
    run([sys.executable, "-m", "venv", str(folder)], purpose="making room for npm")
    command = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(NPM_PINS)]
    run(command, purpose="installing npm from PyPI")
    return [str(folder / "bin/npm")]


def sha512(file: Path) -> str:
    """The checksum as npm writes it."""
    with file.open("rb") as content:
        return "sha512-" + base64.b64encode(hashlib.file_digest(content, "sha512").digest()).decode()
