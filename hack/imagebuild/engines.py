"""Runs the two builders.

buildah gets a storage of its own that is thrown away afterwards, and a mount namespace of its own, so that a build leaves no image, no
container and no mount behind, whatever happens to it.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from imagebuild import recipe
from imagebuild.commands import run
from imagebuild.errors import BuildError
from imagebuild.store import Layer, Stem, Store, index_of, manifest_of

LIBRARY = Path("/var/lib/containers")
BUILDAH = """
set -eu
b() { buildah --root "$WORK/root" --runroot "$WORK/run" --storage-driver "$DRIVER" "$@"; }
mount -t tmpfs none "$LIBRARY"
cd "$WORK"  # buildah makes the name of the base from its path, and not every path is a name
base=$(b pull --quiet oci:base:base)
b bud --quiet --isolation chroot --network host --pull-never --layers --format oci --timestamp "$EPOCH" \
    --build-arg "BASE=$base" --build-arg "CLI_VERSION=$CLI_VERSION" --file "$DOCKERFILE" --tag localhost/result "$CONTEXT"
b push --quiet --disable-compression --format oci localhost/result "dir:$WORK/result"
"""


def docker_works() -> bool:
    """Is there a Docker engine that answers?"""
    if not shutil.which("docker"):
        return False
    asked = subprocess.run(["docker", "info", "--format", "{{.ServerVersion}}"], capture_output=True, check=False, timeout=30)
    return asked.returncode == 0


def buildah_build(image: recipe.Image, machine: recipe.Machine, base: Layer, context: Path, store: Store, work: Path) -> tuple[Stem, Path]:
    """Build the Dockerfile on a base of our own. Returns the stem, and the file that holds the layer with our code."""
    write_base(base, machine, store, work / "base")
    environment = {
        "WORK": str(work),
        "DRIVER": "vfs" if on_overlay(work) else "overlay",
        "EPOCH": str(recipe.EPOCH),
        "CLI_VERSION": recipe.cli_version(),
        "DOCKERFILE": str(recipe.dockerfile(image)),
        "CONTEXT": str(context),
        "TMPDIR": str(work),
        "LIBRARY": str(LIBRARY),
    }
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", BUILDAH]
    if not shutil.which("buildah"):
        raise BuildError("Building images needs buildah (or Docker), and it is not installed: run `make setup` as root.")
    with library_folder():
        run(command, purpose=f"building the image {image.name} with buildah", env=environment)
    return take_result(work / "result", store)


@contextmanager
def library_folder() -> Iterator[None]:
    """buildah keeps a cache in this folder whatever its options say: it is hidden behind an empty one while buildah runs."""
    there = LIBRARY.exists()
    LIBRARY.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not there:
            LIBRARY.rmdir()


def write_base(base: Layer, machine: recipe.Machine, store: Store, folder: Path) -> None:
    """The base as an OCI layout whose layer is a link into the store."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    config = json.dumps(
        {
            "architecture": machine.docker,
            "os": "linux",
            "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{base.digest}"]},
            "history": [{"created_by": f"mmdebstrap {recipe.SUITE}"}],
        }
    ).encode()
    manifest = json.dumps(manifest_of(config, [base])).encode()
    for content in (config, manifest):
        (blobs / recipe.digest(content)).write_bytes(content)
    (blobs / base.digest).symlink_to(store.blob(base.digest))
    for name, content in index_of(manifest, "localhost/stint/base:base").items():
        (folder / name).write_bytes(content)


def take_result(folder: Path, store: Store) -> tuple[Stem, Path]:
    """Split what buildah pushed: the stem's layers go into the store, the last layer is our code."""
    manifest = json.loads((folder / "manifest.json").read_text())
    digests = [str(layer["digest"]).removeprefix("sha256:") for layer in manifest["layers"]]
    config = json.loads((folder / str(manifest["config"]["digest"]).removeprefix("sha256:")).read_text())
    layers = tuple(store.adopt_as(folder / digest, digest) for digest in dict.fromkeys(digests[:-1]))
    by_digest = {layer.digest: layer for layer in layers}
    rootfs = config["rootfs"] | {"diff_ids": config["rootfs"]["diff_ids"][:-1]}
    stem = config | {"rootfs": rootfs, "history": without_last_layer(config["history"])}
    return Stem(stem, tuple(by_digest[digest] for digest in digests[:-1])), folder / digests[-1]


def without_last_layer(history: list[dict[str, object]]) -> list[dict[str, object]]:
    """The history up to the step that made the last layer; steps without a layer do not count."""
    last = max(index for index, step in enumerate(history) if not step.get("empty_layer"))
    return history[:last]


def on_overlay(folder: Path) -> bool:
    """Inside a container the storage may lie on an overlay, and overlays can't be stacked on one."""
    return run(["stat", "--file-system", "--format", "%T", str(folder)], purpose="looking at the cache folder").strip() == "overlayfs"


def docker_has(reference: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", reference], capture_output=True, check=False).returncode == 0


def docker_machine() -> recipe.Machine:
    """The processor of the machine on which Docker runs, which need not be this one."""
    return recipe.machine_named(run(["docker", "version", "--format", "{{.Server.Arch}}"], purpose="asking Docker for its processor").strip())


def docker_build(image: recipe.Image, context: Path, reference: str, arguments: Mapping[str, str]) -> None:
    """Build the Dockerfile with Docker, which keeps the result."""
    command = ["docker", "build", "--file", str(recipe.dockerfile(image)), "--tag", reference]
    for name, value in arguments.items():
        command += ["--build-arg", f"{name}={value}"]
    run([*command, str(context)], purpose=f"building the image {image.name} with Docker", env={"DOCKER_BUILDKIT": "1"})
