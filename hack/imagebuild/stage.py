"""Stages the build context of an image: what its Dockerfile copies, brought together by the host's own pip and npm."""

import os
import shutil
import sys
from pathlib import Path

from imagebuild import claude, lock, recipe
from imagebuild.commands import run

PREPARE = Path(__file__).with_name("prepare.py")


def context(image: recipe.Image) -> Path:
    """Where the build context of `image` is staged."""
    return recipe.REPO / "build/images" / image.name


def stage(image: recipe.Image, machine: recipe.Machine, cache: Path) -> Path:
    """Stage everything anew and return the folder."""
    folder = context(image)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(PREPARE, folder / "prepare.py")
    stage_code(image, folder / "code")
    if image.roots:
        stage_dependencies(image, machine, folder)
    if image.with_cli:
        place(claude.binary(machine, cache), folder / "claude")
    return folder


def stage_code(image: recipe.Image, folder: Path) -> None:
    """The code layer as a folder: its root is the root of the image."""
    for file in recipe.code_files(image):
        target = folder / file.target
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.source, target)
        target.chmod(file.mode)


def stage_dependencies(image: recipe.Image, machine: recipe.Machine, folder: Path) -> None:
    """The wheels of the image's Python, unpacked; nothing is built and no hash is left out."""
    wanted = folder / "requirements.txt"
    wanted.write_text(recipe.requirements(image, machine))
    run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps"),
            *("--require-hashes", "--only-binary=:all:", "--implementation=cp", f"--python-version={lock.PYTHON}"),
            *(f"--platform={platform}" for platform in lock.pip_platforms(machine.python)),
            *("--target", str(folder / "deps"), "--requirement", str(wanted)),
        ],
        purpose=f"installing the dependencies of the image {image.name}",
    )
    shutil.rmtree(folder / "deps/bin", ignore_errors=True)
    wanted.unlink()


def place(source: Path, target: Path) -> None:
    """A second name for a large file, or a copy where that is impossible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
