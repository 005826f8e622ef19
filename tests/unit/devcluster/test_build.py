"""The cache key must change with everything that changes a binary, and a Go must be found without running one."""

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from devcluster import build, golang
from devcluster.build import CONTAINERD, FAMILIES, KUBERNETES, PROMETHEUS, Family, cache_key, module_version
from devcluster.errors import DevclusterError

ALL = (*FAMILIES, PROMETHEUS)


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_every_family_has_a_complete_module(family: Family) -> None:
    go_mod = (family.folder / "go.mod").read_text()
    assert (family.folder / "go.sum").stat().st_size > 0
    assert re.search(r"^tool ", go_mod, re.MULTILINE)
    assert family.version.startswith("v")


def test_kubernetes_is_stamped_with_the_version_of_its_module() -> None:
    flags = KUBERNETES.link_flags()
    assert f"-X k8s.io/component-base/version.gitVersion={KUBERNETES.version}" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMajor=1" in flags
    assert "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1" in flags


def test_the_key_changes_with_sources_flags_and_go_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CONTAINERD.folder, tmp_path / "go" / "containerd")
    monkeypatch.setattr(build, "HERE", tmp_path)
    first = cache_key(CONTAINERD, "1.26.8")
    assert first == cache_key(CONTAINERD, "1.26.8")
    keys = {first, cache_key(CONTAINERD, "1.26.9"), cache_key(dataclasses.replace(CONTAINERD, stamps=()), "1.26.8")}
    keys.add(cache_key(dataclasses.replace(CONTAINERD, tags=("small",)), "1.26.8"))
    for name in ("go.sum", "go.mod"):
        with (CONTAINERD.folder / name).open("a") as file:
            file.write("\n// changed\n")
        keys.add(cache_key(CONTAINERD, "1.26.8"))
    assert len(keys) == 6


def test_a_module_that_is_not_required_is_an_error_with_advice() -> None:
    with pytest.raises(DevclusterError, match=r"run `go get example.com/other@VERSION`"):
        module_version("module x\n\nrequire example.com/one v1.2.3\n", "example.com/other")


def installation(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "VERSION").write_text(f"go{version}\ntime 2026-01-01T00:00:00Z\n")
    (folder / "bin" / "go").write_text("#!/bin/sh\nexit 1\n")
    (folder / "bin" / "go").chmod(0o755)
    return folder / "bin" / "go"


def test_the_go_in_path_is_used_if_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = installation(tmp_path / "go", "1.27.1")
    monkeypatch.setenv("PATH", str(program.parent))
    assert golang.find_go("1.26.0") == golang.Go(program, "1.27.1")


def test_an_old_or_missing_go_gives_way_to_the_one_from_pypi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(installation(tmp_path / "go", "1.19.8").parent))
    assert golang.find_go("1.26.0").version == golang.WHEEL_VERSION
    monkeypatch.setenv("PATH", str(tmp_path))
    assert golang.find_go("1.26.0").program.is_relative_to(tmp_path / "cache")


def test_a_go_newer_than_pypi_serves_must_be_installed_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DevclusterError, match=r"Go 99.0 or newer is needed"):
        golang.find_go("99.0")


def test_the_wheel_can_build_every_family() -> None:
    for family in ALL:
        needed = re.search(r"^go (\S+)$", (family.folder / "go.mod").read_text(), re.MULTILINE)
        assert needed
        assert golang.as_tuple(golang.WHEEL_VERSION) >= golang.as_tuple(needed[1])
