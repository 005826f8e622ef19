"""Makes the two images a cluster can't do without, and loads image archives into the nodes.

    pause      the sandbox of every pod: Kubernetes' own pause.c, compiled statically
    coredns    the static CoreDNS binary

Both are OCI archives of a single layer, written here: no image builder is needed. They are kept in the cache beside the binaries.
"""

import hashlib
import io
import json
import os
import platform
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.errors import DevclusterError
from devcluster.locking import locked
from devcluster.node import PAUSE_IMAGE
from devcluster.paths import cache_root
from devcluster.progress import Progress
from devcluster.requirements import install_compiler

COREDNS_IMAGE = "localhost/devcluster/coredns:1"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Archive:
    """An image archive: the names it carries and a digest over what they point at."""

    path: Path
    names: tuple[str, ...]
    digest: str


def ensure_system_images(programs: Path, progress: Progress) -> list[Path]:
    """Archives of pause and CoreDNS, made unless the cache has them."""
    folder = cache_root() / "images" / programs.name
    pause, coredns = folder / "pause.tar", folder / "coredns.tar"
    folder.mkdir(parents=True, exist_ok=True)
    if not pause.exists():
        install_compiler(progress)
        with progress.step("compiling the pause image", usually="1 s"):
            binary = folder / f"pause.{os.getpid()}"
            _compile(programs / "pause.c", binary)
            write_image(pause, PAUSE_IMAGE, binary, "pause", user="65535:65535")
            binary.unlink()
    if not coredns.exists():
        with progress.step("writing the CoreDNS image", usually="1 s"):
            write_image(coredns, COREDNS_IMAGE, programs / "coredns", "coredns", user="65532:65532")
    return [pause, coredns]


def write_image(path: Path, name: str, binary: Path, program: str, user: str) -> None:
    """An OCI archive with one file, /PROGRAM, as its entry point. The layer is not compressed: it is read once per node, from disk."""
    layer = _layer(binary, program)
    diff_id = _digest(layer)
    settings = {"Entrypoint": [f"/{program}"], "User": user}
    root = {"type": "layers", "diff_ids": [diff_id]}
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    config = _json({"architecture": architecture, "os": "linux", "created": EPOCH, "config": settings, "rootfs": root})
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        }
    )
    described = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    described["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with tarfile.open(partial, "w") as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(archive, "index.json", _json({"schemaVersion": 2, "manifests": [described]}))
        for blob in (config, manifest, layer):
            _add(archive, f"blobs/{_digest(blob).replace(':', '/')}", blob)
    partial.rename(path)


def read_archive(path: Path) -> Archive:
    """Names and digest of a docker-archive or oci-archive, without reading its layers."""
    try:
        with tarfile.open(path, "r:*") as archive:
            index = {name: _read_member(archive, name) for name in ("manifest.json", "index.json")}
    except OSError as error:
        raise DevclusterError(f"{path} can't be read ({error.strerror}): give the path of an image archive.") from error
    except tarfile.TarError as error:
        raise DevclusterError(f"{path} is not a tar file: give one made by `docker save` or `buildah push`.") from error
    if index["manifest.json"]:  # docker-archive; a new `docker save` writes both, and containerd takes the names from here
        names = [name for image in json.loads(index["manifest.json"]) for name in image.get("RepoTags") or []]
    elif index["index.json"]:
        names = [_oci_name(manifest) for manifest in json.loads(index["index.json"])["manifests"]]
    else:
        raise DevclusterError(f"{path} is not an image archive: it has neither manifest.json nor index.json.")
    if not names or not all(names):
        raise DevclusterError(f"{path} has an image without a name: save it with one, like localhost/agent:1.")
    return Archive(path, tuple(names), _digest((index["manifest.json"] or b"") + (index["index.json"] or b"")))


class NodeImages:
    """The images of one node. Imports are remembered by digest, so that loading the same archive again costs one listing."""

    def __init__(self, folder: Path, ctr: list[str]) -> None:
        self._record = folder / "images.json"
        self._ctr = ctr

    def load(self, archive: Archive) -> bool:
        """Import the archive; False if the node has exactly these images already."""
        with locked(self._record.with_suffix(".lock"), lambda: None):
            return self._load(archive)

    def _load(self, archive: Archive) -> bool:
        loaded: dict[str, str] = json.loads(self._record.read_text()) if self._record.exists() else {}
        if all(loaded.get(name) == archive.digest for name in archive.names):
            present = self._run("images", "ls", "-q").split()
            if {full_name(name) for name in archive.names}.issubset(present):
                return False
        self._run("images", "import", str(archive.path))
        loaded.update(dict.fromkeys(archive.names, archive.digest))
        self._record.write_text(json.dumps(loaded))
        return True

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([*self._ctr, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise DevclusterError(f"ctr {' '.join(arguments)} failed: {done.stderr.strip()[-1000:]}")
        return done.stdout


def full_name(name: str) -> str:
    """The name under which containerd lists an image: with registry and tag."""
    first, _, rest = name.partition("/")
    if not rest:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _compile(source: Path, binary: Path) -> None:
    command = ["gcc", "-Os", "-static", "-s", "-DVERSION=devcluster", "-o", str(binary), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DevclusterError(f"Compiling pause.c failed: install gcc and the static C library. gcc said:\n{done.stderr.strip()[-1000:]}")


def _layer(binary: Path, program: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as layer:
        _add(layer, program, binary.read_bytes(), mode=0o755)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def _read_member(archive: tarfile.TarFile, name: str) -> bytes | None:
    try:
        member = archive.extractfile(name)
    except KeyError:
        return None
    return member.read() if member else None


def _oci_name(manifest: dict[str, Any]) -> str:
    annotations = manifest.get("annotations") or {}
    return str(annotations.get("io.containerd.image.name") or annotations.get("org.opencontainers.image.ref.name") or "")


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
