"""Builds the cluster's programs from Go modules, once, into a cache that is addressed by content.

There are three families, each with a go.mod of its own, because their dependencies exclude each other (CoreDNS wants a newer etcd client
than the etcd server we run). Go files of our own are not needed: the `tool` lines of each go.mod name the main packages. A fourth, Prometheus, is
no part of the cluster: it is built by the tests that need it.

    <cache>/bin/<hash>/          the binaries of one family; hash of go.mod, go.sum, flags, Go version, architecture
    <cache>/bin/all-<hash>/      links to all of them: the one folder that goes into PATH
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.golang import Go, find_go
from devcluster.locking import locked
from devcluster.paths import HERE, cache_root, lock_file
from devcluster.progress import Progress

RENAMED = {"server": "etcd"}  # etcd's package is called "server"


@dataclass(frozen=True)
class Family:
    """Programs that share one go.mod; `stamps` are -X link flags, `{version}` is the version of module `versioned`."""

    name: str
    versioned: str
    stamps: tuple[str, ...]
    usually: str
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return HERE / "go" / self.name

    @property
    def version(self) -> str:
        return module_version((self.folder / "go.mod").read_text(), self.versioned)

    def link_flags(self) -> str:
        major, minor = self.version.removeprefix("v").split(".")[:2]
        stamps = (stamp.format(version=self.version, major=major, minor=minor) for stamp in self.stamps)
        return " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in stamps)])


# Without its version the API server calls itself v0.0.0 and clients refuse it; helm judges a chart's kubeVersion by its own stamp.
KUBERNETES = Family(
    "kubernetes",
    "k8s.io/kubernetes",
    (
        *(
            f"{package}.{variable}"
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            for variable in ("gitVersion={version}", "gitMajor={major}", "gitMinor={minor}", "gitTreeState=clean")
        ),
        *(
            f"helm.sh/helm/v3/pkg/{package}.{variable}"
            for package in ("chartutil", "lint/rules")
            for variable in ("k8sVersionMajor={major}", "k8sVersionMinor={minor}")
        ),
    ),
    "5 min on two cores",
    sources=("build/pause/linux/pause.c",),
)
CONTAINERD = Family(
    "containerd",
    "github.com/containerd/containerd/v2",
    ("github.com/containerd/containerd/v2/version.Version={version}",),
    "1 min on two cores",
)
COREDNS = Family("coredns", "github.com/coredns/coredns", (), "2 min on two cores")
PROMETHEUS = Family(
    "prometheus",
    "github.com/prometheus/prometheus",
    ("github.com/prometheus/common/version.Version={version}",),
    "2 min on two cores",
    tags=("remove_all_sd", "enable_kubernetes_sd"),  # of thirty ways to find targets, one
)
FAMILIES = (KUBERNETES, CONTAINERD, COREDNS)
"""The cluster's programs."""


def ensure_binaries(progress: Progress) -> Path:
    """Build what is not in the cache yet; the folder with every program of the cluster."""
    folders = [ensure_family(family, progress) for family in FAMILIES]
    key = hashlib.sha256("\n".join(folder.name for folder in folders).encode()).hexdigest()[:16]
    together = folders[0].parent / f"all-{key}"
    if not together.exists():
        partial = together.with_name(f"{together.name}.{os.getpid()}")
        partial.mkdir(parents=True)
        for folder in folders:
            for program in folder.iterdir():
                (partial / program.name).symlink_to(Path("..") / folder.name / program.name)
        try:
            partial.rename(together)
        except OSError:  # another process was faster
            shutil.rmtree(partial)
    return together


def ensure_family(family: Family, progress: Progress) -> Path:
    """The folder of the family's binaries, built if the cache has none for exactly these sources."""
    needed = re.search(r"^go (\S+)$", (family.folder / "go.mod").read_text(), re.MULTILINE)
    go = find_go(needed[1] if needed else "1.26.0")
    folder = cache_root() / "bin" / cache_key(family, go.version)
    if folder.exists():
        return folder
    with locked(lock_file(folder.name), lambda: progress.say(f"another process builds {family.name}: waiting for it …")):
        if not folder.exists():
            go.fetch(progress)
            with progress.step(f"building {family.name} {family.version} from Go modules", usually=f"first time {family.usually}"):
                _build(family, go, folder)
    return folder


def cache_key(family: Family, go_version: str) -> str:
    """16 hex digits over everything that can change the binaries."""
    digest = hashlib.sha256()
    for part in (
        (family.folder / "go.mod").read_bytes(),
        (family.folder / "go.sum").read_bytes(),
        family.link_flags().encode(),
        " ".join((*family.sources, *family.tags)).encode(),
        go_version.encode(),
        platform.machine().encode(),
    ):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


def module_version(go_mod: str, module: str) -> str:
    """The version that a go.mod requires of `module`."""
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if not found:
        raise DevclusterError(f"go.mod does not require {module}: run `go get {module}@VERSION` in its folder.")
    return found[1]


def _build(family: Family, go: Go, folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _go(go, family, "build", "-trimpath", "-buildvcs=false", f"-tags={','.join(family.tags)}", "-ldflags", family.link_flags(), "-o", f"{partial}/", "tool")
    for before, after in RENAMED.items():
        if (partial / before).exists():
            (partial / before).rename(partial / after)
    for source in family.sources:
        module = Path(_go(go, family, "list", "-m", "-f", "{{.Dir}}", family.versioned).strip())
        shutil.copyfile(module / source, partial / Path(source).name)
    partial.rename(folder)


def _go(go: Go, family: Family, *arguments: str) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0"}
    done = subprocess.run([str(go.program), *arguments], cwd=family.folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DevclusterError(f"Building {family.name} with Go {go.version} failed:\n{done.stderr.strip()[-3000:]}")
    return done.stdout
