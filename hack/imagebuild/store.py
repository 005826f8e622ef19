"""Keeps what was built, under ~/.cache/stint/images.

    blobs/<sha256>             layers, uncompressed, each once
    bases/<hash>.json          the layer of a root file system
    stems/<image>-<hash>.json  configuration and layers of an image without our code
    archives/<image>-<hash>.tar        the whole image (OCI layout, also readable by `docker load`)
    archives/<image>-<hash>.delta.tar  the same without the stem's layers, for a containerd that holds them already
    rootfs/<hash>/             a root file system, unpacked: the Python that makes bytecode for code layers
    cli/<version>-…/claude     the CLI

Everything is written under another name first, so a build that is killed leaves nothing that looks complete.
"""

import fcntl
import hashlib
import io
import json
import os
import shutil
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imagebuild import recipe

KEPT = 3  # archives and stems of each image that survive a build
IN_USE = 600  # seconds after its last use during which nothing is forgotten: another process may be about to load it
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
COPY_SIZE = 4 << 20


@dataclass(frozen=True)
class Layer:
    """An uncompressed layer; `digest` is the sha256 of its tar file, in hexadecimal."""

    digest: str
    size: int


@dataclass(frozen=True)
class Stem:
    """An image without our code. `config` is the OCI image configuration."""

    config: dict[str, Any]
    layers: tuple[Layer, ...]


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stint/images"


class Store:
    """The folder described above."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One build at a time; a second one waits, and then finds the work done."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for left_over in (*self.root.glob("work-*"), *self.root.glob("npm-*")):  # of builds that were killed
                shutil.rmtree(left_over, ignore_errors=True)
            yield

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the file system of the store, gone afterwards."""
        folder = self.root / f"work-{os.getpid()}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def archive(self, image: recipe.Image, tag: str) -> Path:
        return self.root / "archives" / f"{image.name}-{tag}.tar"

    def delta(self, image: recipe.Image, tag: str) -> Path:
        return self.root / "archives" / f"{image.name}-{tag}.delta.tar"

    def blob(self, digest: str) -> Path:
        return self.root / "blobs" / digest

    def adopt(self, file: Path) -> Layer:
        """Move a finished layer into the store."""
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return self.adopt_as(file, digest)

    def adopt_as(self, file: Path, digest: str) -> Layer:
        """The same for a layer whose digest somebody has computed."""
        target = self.blob(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        size = file.stat().st_size
        file.replace(target)
        return Layer(digest, size)

    def base(self, name: str) -> Layer | None:
        found = self._read(self.root / "bases" / f"{name}.json")
        return Layer(**found) if found and self.blob(found["digest"]).exists() else None

    def keep_base(self, name: str, layer: Layer) -> None:
        self._write(self.root / "bases" / f"{name}.json", asdict(layer))

    def stem(self, image: recipe.Image, name: str) -> Stem | None:
        found = self._read(self._stem_file(image, name))
        if not found:
            return None
        stem = Stem(found["config"], tuple(Layer(**each) for each in found["layers"]))
        return stem if all(self.blob(layer.digest).exists() for layer in stem.layers) else None

    def keep_stem(self, image: recipe.Image, name: str, stem: Stem) -> None:
        self._write(self._stem_file(image, name), {"config": stem.config, "layers": [asdict(layer) for layer in stem.layers]})

    def write_archives(self, image: recipe.Image, tag: str, stem: Stem, code: bytes) -> None:
        """The stem with one more layer, as two archives."""
        layer = Layer(recipe.digest(code), len(code))
        config = json.dumps(with_layer(stem.config, layer), sort_keys=True).encode()
        manifest = json.dumps(manifest_of(config, [*stem.layers, layer]), sort_keys=True).encode()
        small = {recipe.digest(each): each for each in (config, manifest, code)}
        reference = recipe.reference(image, tag)
        documents = index_of(manifest, reference) | docker_manifest(config, [*stem.layers, layer], reference)
        self._write_archive(self.delta(image, tag), documents, small, ())
        self._write_archive(self.archive(image, tag), documents, small, stem.layers)

    def forget_old(self) -> None:
        """Keep the archives and stems of each image that were used last, and the layers of these stems."""
        long_ago = time.time() - IN_USE
        for image in recipe.ALL_IMAGES:
            for pattern in (f"archives/{image}-*.delta.tar", f"archives/{image}-????????????.tar", f"stems/{image}-*.json"):
                newest_first = sorted(self.root.glob(pattern), key=lambda file: file.stat().st_mtime, reverse=True)
                for file in newest_first[KEPT:]:
                    if file.stat().st_mtime < long_ago:
                        file.unlink()
        used = {Layer(**json.loads(file.read_text())).digest for file in self.root.glob("bases/*.json")}
        for file in self.root.glob("stems/*.json"):
            used |= {each["digest"] for each in json.loads(file.read_text())["layers"]}
        for blob in self.root.glob("blobs/*"):
            if blob.name not in used:
                blob.unlink()
        versions = sorted(self.root.glob("cli/*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in versions[KEPT:]:
            shutil.rmtree(folder)

    def used(self, image: recipe.Image, tag: str, stem: str) -> bool:
        """Is the image there? If so, it counts as used now."""
        files = (self.archive(image, tag), self.delta(image, tag))
        if not all(file.exists() for file in files):
            return False
        for file in (*files, self._stem_file(image, stem)):
            if file.exists():
                file.touch()
        return True

    def forget_everything(self) -> None:
        for folder in ("archives", "stems", "bases", "blobs", "rootfs", "cli"):
            shutil.rmtree(self.root / folder, ignore_errors=True)

    def _stem_file(self, image: recipe.Image, name: str) -> Path:
        return self.root / "stems" / f"{image.name}-{name}.json"

    def _write_archive(self, target: Path, documents: dict[str, bytes], small: dict[str, bytes], layers: tuple[Layer, ...]) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".unfinished")
        with tarfile.TarFile(unfinished, "w", format=tarfile.GNU_FORMAT, copybufsize=COPY_SIZE) as archive:
            for name, content in (documents | {f"blobs/sha256/{digest}": content for digest, content in small.items()}).items():
                archive.addfile(entry(name, len(content)), io.BytesIO(content))
            for digest in dict.fromkeys(layer.digest for layer in layers):
                with self.blob(digest).open("rb") as file:
                    archive.addfile(entry(f"blobs/sha256/{digest}", self.blob(digest).stat().st_size), file)
        unfinished.replace(target)

    def _read(self, file: Path) -> dict[str, Any] | None:
        return dict(json.loads(file.read_text())) if file.exists() else None

    def _write(self, file: Path, content: dict[str, Any]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(content))
        unfinished.replace(file)


def code_layer(folder: Path) -> bytes:
    """A folder as a layer: sorted, owned by root, every time the same. Its permissions are taken from the folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_dir():
                member = entry(name, 0, mode=0o755)
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                content = path.read_bytes()
                archive.addfile(entry(name, len(content), mode=path.stat().st_mode & 0o777), io.BytesIO(content))
    return buffer.getvalue()


def entry(name: str, size: int, mode: int = 0o644) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, mode, recipe.EPOCH
    return member


def with_layer(config: dict[str, Any], layer: Layer) -> dict[str, Any]:
    """An image configuration with one more layer."""
    rootfs = config["rootfs"] | {"diff_ids": [*config["rootfs"]["diff_ids"], f"sha256:{layer.digest}"]}
    step = {"created": config["created"], "created_by": "COPY --from=code /layer/ /"}
    return config | {"rootfs": rootfs, "history": [*config.get("history", []), step]}


def manifest_of(config: bytes, layers: list[Layer]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": f"sha256:{recipe.digest(config)}", "size": len(config)},
        "layers": [{"mediaType": LAYER_TYPE, "digest": f"sha256:{layer.digest}", "size": layer.size} for layer in layers],
    }


def index_of(manifest: bytes, reference: str) -> dict[str, bytes]:
    """The documents that make a folder or archive an OCI layout with one image."""
    names = {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference.rsplit(":", 1)[1]}
    descriptor = {"mediaType": MANIFEST_TYPE, "digest": f"sha256:{recipe.digest(manifest)}", "size": len(manifest), "annotations": names}
    index = {"schemaVersion": 2, "manifests": [descriptor]}
    return {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index, sort_keys=True).encode()}


def docker_manifest(config: bytes, layers: list[Layer], reference: str) -> dict[str, bytes]:
    """The document that `docker load` looks for."""
    names = [f"blobs/sha256/{layer.digest}" for layer in layers]
    content = [{"Config": f"blobs/sha256/{recipe.digest(config)}", "RepoTags": [reference], "Layers": names}]
    return {"manifest.json": json.dumps(content).encode()}
