"""Makes images that are up to date, doing as little as possible."""

import os
import platform
import shutil
import tarfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from imagebuild import base, engines, recipe
from imagebuild.commands import run
from imagebuild.errors import BuildError
from imagebuild.stage import context, stage, stage_code
from imagebuild.store import Layer, Store, cache_folder, code_layer
from steps import Steps


@dataclass(frozen=True)
class Built:
    """An image that is there. With Docker, `archive` and `delta` are None: Docker keeps the image."""

    reference: str
    archive: str | None
    delta: str | None
    built: str  # what was made: nothing, code or everything
    seconds: float


def choose_engine(docker_works: Callable[[], bool]) -> str:
    """buildah where it can work, else Docker."""
    if shutil.which("buildah") and os.geteuid() == 0:
        return "buildah"
    if docker_works():
        return "docker"
    raise BuildError(
        "Building images needs Docker, or root on Linux with buildah and mmdebstrap; this machine has neither. "
        "Start Docker, or run `make setup` as root."
    )


def build(names: Iterable[str], engine: str, steps: Steps, base_image: str | None = None) -> dict[str, Built]:
    """Make the images in `names` with buildah or docker; `base_image` replaces Docker's base."""
    store = Store(cache_folder())
    with store.locked():
        if engine == "docker":
            return {name: with_docker(recipe.ALL_IMAGES[name], store, steps, base_image) for name in names}
        machine = recipe.machine_named(platform.machine())
        built = {name: with_buildah(recipe.ALL_IMAGES[name], machine, store, steps) for name in names}
        if any(each.built != "nothing" for each in built.values()):
            store.forget_old()
        return built


def with_docker(image: recipe.Image, store: Store, steps: Steps, base_image: str | None) -> Built:
    start = time.monotonic()
    machine = engines.docker_machine()
    reference = recipe.reference(image, recipe.image_hash(image, recipe.stem_hash(image, machine, base_image or "default")))
    made = "nothing"
    if not engines.docker_has(reference):
        made = "everything"
        with steps.step(f"building the image {image.name} with Docker", usually="1 min at first, then 5 s"):
            folder = stage(image, machine, store.root)
            arguments = {"SOURCE_DATE_EPOCH": str(recipe.EPOCH), "CLI_VERSION": recipe.cli_version()}
            engines.docker_build(image, folder, reference, arguments | ({"BASE": base_image} if base_image else {}))
    return Built(reference, None, None, made, round(time.monotonic() - start, 2))


def with_buildah(image: recipe.Image, machine: recipe.Machine, store: Store, steps: Steps) -> Built:
    start = time.monotonic()
    base_name = recipe.base_hash(image, machine)
    stem_name = recipe.stem_hash(image, machine, base_name)
    tag = recipe.image_hash(image, stem_name)
    made = "nothing"
    if not store.used(image, tag, stem_name):
        made = "code" if store.stem(image, stem_name) else "everything"
        if made == "everything":
            build_stem(image, machine, base_name, stem_name, store, steps)
        add_code(image, machine, stem_name, tag, store, steps)
    return Built(recipe.reference(image, tag), str(store.archive(image, tag)), str(store.delta(image, tag)), made, round(time.monotonic() - start, 2))


def build_stem(image: recipe.Image, machine: recipe.Machine, base_name: str, stem_name: str, store: Store, steps: Steps) -> None:
    """Everything but the code, from the Dockerfile. The code that the Dockerfile adds is only compared with what `add_code` would add."""
    layer = base_layer(image, machine, base_name, store, steps)
    with steps.step(f"staging the build context of the image {image.name}", usually="5 to 20 s"):
        folder = stage(image, machine, store.root)
    with steps.step(f"building the image {image.name} with buildah", usually="5 to 25 s"), store.scratch() as work:
        stem, code = engines.buildah_build(image, machine, layer, folder, store, work)
        differences = names_and_modes(code) ^ expected(image)
        if differences:
            raise BuildError(f"images/{image.name}/Dockerfile adds other code than hack/imagebuild does: {sorted(differences)[:5]}")
        store.keep_stem(image, stem_name, stem)


def add_code(image: recipe.Image, machine: recipe.Machine, stem_name: str, tag: str, store: Store, steps: Steps) -> None:
    stem = store.stem(image, stem_name)
    if stem is None:
        raise BuildError(f"The cache lost a part of the image {image.name} while it was built: build it again.")
    compiler = compiler_root(machine, store, steps)
    with steps.step(f"adding our code to the image {image.name}", usually="2 s"):
        folder = context(image) / "code"
        shutil.rmtree(folder, ignore_errors=True)
        stage_code(image, folder)
        store.write_archives(image, tag, stem, code_layer(compiled(folder, compiler)))


def base_layer(image: recipe.Image, machine: recipe.Machine, name: str, store: Store, steps: Steps) -> Layer:
    """The root file system that the image stands on."""
    found = store.base(name)
    if found:
        return found
    kind = "without a shell" if image.distroless else "with tools"
    with steps.step(f"making a Debian {recipe.SUITE} root file system {kind}", usually="10 to 40 s"), store.scratch() as work:
        base.make(image, work / "base.tar")
        layer = store.adopt(work / "base.tar")
    store.keep_base(name, layer)
    return layer


def compiler_root(machine: recipe.Machine, store: Store, steps: Steps) -> Path:
    """An unpacked root file system with the images' own Python: its bytecode is the only one that fits."""
    image = recipe.IMAGES["operator"]
    name = recipe.base_hash(image, machine)
    target = store.root / "rootfs" / name
    if not target.exists():
        layer = base_layer(image, machine, name, store, steps)
        shutil.rmtree(target.parent, ignore_errors=True)
        with store.scratch() as work:
            (work / "root").mkdir()
            run(
                ["tar", "--extract", "--file", str(store.blob(layer.digest)), "--directory", str(work / "root")],
                purpose="unpacking the images' Python",
            )
            target.parent.mkdir(parents=True)
            (work / "root").replace(target)
    return target


def compiled(folder: Path, compiler: Path) -> Path:
    """Bytecode beside every source under `folder`, which is the root of a code layer."""
    inside = compiler / "layer"
    shutil.rmtree(inside, ignore_errors=True)
    shutil.copytree(folder, inside)
    shutil.copyfile(Path(__file__).with_name("prepare.py"), compiler / "prepare.py")
    command = ["chroot", str(compiler), "/usr/bin/python3", "-I", "/prepare.py", "compile", f"/layer/{recipe.CODE}", "--root", "/layer"]
    run(command, purpose="compiling our code with the images' Python")
    shutil.rmtree(folder)
    shutil.move(inside, folder)  # the checkout and the cache may lie on different file systems
    return folder


def expected(image: recipe.Image) -> set[tuple[str, int]]:
    return {(file.target, file.mode) for file in recipe.code_files(image)}


def names_and_modes(layer: Path) -> set[tuple[str, int]]:
    """The files of a code layer, without bytecode."""
    with tarfile.open(layer) as archive:
        return {(member.name, member.mode & 0o777) for member in archive if member.isfile() and not member.name.endswith(".pyc")}
