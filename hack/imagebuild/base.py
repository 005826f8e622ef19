"""Root file systems from Debian packages, for machines that reach a Debian mirror but no image registry."""

from pathlib import Path

from imagebuild import recipe
from imagebuild.commands import run

DISTROLESS = ("base-files", "libc6", "libgcc-s1", "libstdc++6", "netbase", "python3", "tzdata", "zlib1g")
PYTHON = ("python3", "python3-venv")  # what the official Python image brings, beside the tools
HOOK = Path(__file__).with_name("distroless.sh")
EXCLUDED = ("doc", "info", "lintian", "locale", "man")
FORGET = 'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/cache/debconf/*-old "$1"/var/log/*.log "$1"/var/log/apt'


def make(image: recipe.Image, target: Path) -> None:
    """Write the root file system for `image` as the tar file `target`."""
    if image.distroless:
        shape = ["--variant=extract", f"--include={','.join(DISTROLESS)}", f"--extract-hook={HOOK}"]
    else:
        shape = ["--variant=minbase", f"--include={','.join([*PYTHON, *recipe.tools(image)])}", f"--customize-hook={FORGET}"]
    run(
        [
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--format=tar",
            "--skip=output/dev",
            '--aptopt=Apt::Install-Recommends "false"',
            *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in EXCLUDED),
            *shape,
            recipe.SUITE,
            str(target),
        ],
        purpose=f"making the root file system for the image {image.name}",
        env={"SOURCE_DATE_EPOCH": str(recipe.EPOCH)},
    )
