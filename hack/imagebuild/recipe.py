"""What goes into which image, and the hashes that say whether it has changed.

A hash covers everything a developer can change: Dockerfile, list of packages, locked dependencies, version of the CLI, code, and the
parts of this package that shape the result. It does not cover what the Debian archive holds today: a base is made once per machine and
list of packages, and made anew after `images.py prune --all`.
"""

import hashlib
import json
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from imagebuild import lock
from imagebuild.errors import BuildError

REPO = Path(__file__).resolve().parents[2]
SUITE = "trixie"
EPOCH = 1767225600  # 2026-01-01, the time of every file that a build writes
CODE = "opt/stint/code"
SHAPERS = ("base.py", "distroless.sh", "prepare.py", "stage.py")  # files of this package that decide what is in a stem
HASH_LENGTH = 12


@dataclass(frozen=True)
class Machine:
    """A processor, in the words of those who are asked for its files."""

    docker: str
    python: str
    npm: str


MACHINES = {
    "x86_64": Machine(docker="amd64", python="x86_64", npm="x64"),
    "aarch64": Machine(docker="arm64", python="aarch64", npm="arm64"),
}
MACHINES |= {"amd64": MACHINES["x86_64"], "arm64": MACHINES["aarch64"]}


@dataclass(frozen=True)
class Source:
    """A file or folder of the repository and where it goes in the image; `mode` for files, folders are 0755."""

    path: str
    target: str
    mode: int = 0o644


@dataclass(frozen=True)
class Image:
    """What is special about one image. `roots`: what it needs of requirements.lock; empty is nothing, `*` is everything."""

    name: str
    distroless: bool
    roots: tuple[str, ...]
    code: tuple[Source, ...]
    with_cli: bool = False
    public: bool = True  # may our tooling push it?


IMAGES = {
    image.name: image
    for image in (
        Image("operator", distroless=True, roots=("*",), code=(Source("operator/stint", f"{CODE}/stint"),)),
        Image(
            "agent",
            distroless=False,
            roots=(),
            code=(
                Source("images/agent/stint_runner", f"{CODE}/stint_runner"),
                Source("images/agent/managed-settings.json", "etc/claude-code/managed-settings.json", mode=0o444),
            ),
            with_cli=True,
            public=False,
        ),
        Image("mockapi", distroless=True, roots=("aiohttp", "orjson"), code=(Source("images/mockapi/mockapi", f"{CODE}/mockapi"),)),
    )
}
# Made only when a test asks for them by name.
TEST_IMAGES = {
    "sshserver": Image("sshserver", distroless=False, roots=(), code=(Source("tests/cluster/sshserver.py", f"{CODE}/sshserver.py"),)),
}
ALL_IMAGES = IMAGES | TEST_IMAGES


@dataclass(frozen=True)
class CodeFile:
    """One file of a code layer."""

    source: Path
    target: str
    mode: int


def machine_named(name: str) -> Machine:
    """The processor that uname or Docker calls `name`."""
    if name not in MACHINES:
        raise BuildError(f"There is no Claude Code CLI for the processor {name!r}: images can be built for x86_64 and aarch64.")
    return MACHINES[name]


def dockerfile(image: Image) -> Path:
    return REPO / "images" / image.name / "Dockerfile"


def tools(image: Image) -> list[str]:
    """Debian packages of an image that has a shell, from its Dockerfile."""
    found = re.search(r'^ARG PACKAGES="([^"]+)"$', dockerfile(image).read_text(), flags=re.MULTILINE)
    if not found:
        raise BuildError(f'images/{image.name}/Dockerfile has no line `ARG PACKAGES="…"`, from which the base image is made.')
    return found[1].split()


def cli_version() -> str:
    return (REPO / "images/agent/cli-version").read_text().strip()


def cli_integrity(machine: Machine) -> str:
    """The sha512 of the npm package, as npm writes it: `sha512-` and base64."""
    for line in (REPO / "images/agent/cli-integrity").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == machine.npm:
            return value.strip()
    raise BuildError(f"images/agent/cli-integrity has no line for {machine.npm}: run `python hack/images.py pin {cli_version()}`.")


def requirements(image: Image, machine: Machine) -> str:
    """The requirements file from which pip fills the image; empty when it needs none."""
    if not image.roots:
        return ""
    pins = lock.parse((REPO / "requirements.lock").read_text())
    chosen = pins if image.roots == ("*",) else lock.needed_by(pins, image.roots)
    return "\n".join(pin.requirement() for pin in lock.for_image(chosen, machine.python)) + "\n"


def code_files(image: Image) -> list[CodeFile]:
    """The files of the code layer, sorted by target, without what Python leaves beside its sources."""
    files: list[CodeFile] = []
    for source in image.code:
        path = REPO / source.path
        if not path.exists():
            raise BuildError(f"The image {image.name} needs {source.path}, which does not exist in this checkout.")
        if path.is_file():
            files.append(CodeFile(path, source.target, source.mode))
            continue
        for each in path.rglob("*"):
            if each.is_file() and "__pycache__" not in each.parts and each.suffix != ".pyc":
                executable = each.stat().st_mode & stat.S_IXUSR
                files.append(CodeFile(each, f"{source.target}/{each.relative_to(path).as_posix()}", 0o755 if executable else source.mode))
    return sorted(files, key=lambda file: file.target)


def base_hash(image: Image, machine: Machine) -> str:
    """Names the root file system that buildah starts from."""
    shapers = {name: digest((Path(__file__).parent / name).read_bytes()) for name in ("base.py", "distroless.sh")}
    return short_hash(["base", SUITE, machine.docker, image.distroless, [] if image.distroless else tools(image), shapers])


def stem_hash(image: Image, machine: Machine, base: str) -> str:
    """Names everything in the image but our code. `base` is the hash of a base of our own, or the reference of somebody else's."""
    shapers = {name: digest((Path(__file__).parent / name).read_bytes()) for name in SHAPERS}
    cli = [cli_version(), cli_integrity(machine)] if image.with_cli else []
    return short_hash(["stem", image.name, machine.docker, base, dockerfile(image).read_text(), requirements(image, machine), cli, shapers, EPOCH])


def image_hash(image: Image, stem: str) -> str:
    """Names the whole image; it is its tag."""
    listing = [[file.target, file.mode, digest(file.source.read_bytes())] for file in code_files(image)]
    return short_hash(["image", stem, listing])


def reference(image: Image, tag: str) -> str:
    return f"localhost/stint/{image.name}:{tag}"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def short_hash(inputs: object) -> str:
    return digest(json.dumps(inputs, sort_keys=True).encode())[:HASH_LENGTH]
