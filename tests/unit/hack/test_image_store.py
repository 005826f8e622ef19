"""Layers, archives, and what is forgotten."""

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from imagebuild import recipe
from imagebuild.engines import take_result, without_last_layer
from imagebuild.store import KEPT, Layer, Stem, Store, code_layer

IMAGE = recipe.IMAGES["operator"]
CONFIG: dict[str, Any] = {
    "created": "2026-01-01T00:00:00Z",
    "rootfs": {"type": "layers", "diff_ids": ["sha256:0"]},
    "history": [{"created_by": "base"}],
    "config": {"User": "10002:10002"},
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def layer_in(store: Store, content: bytes) -> Layer:
    file = store.root / "new"
    file.write_bytes(content)
    return store.adopt(file)


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member))}


def folder_with(root: Path, **files: str) -> Path:
    for name, content in files.items():
        (root / "opt" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "opt" / name).write_text(content)
    return root


def test_a_layer_does_not_depend_on_times_owners_or_order(tmp_path: Path) -> None:
    one = folder_with(tmp_path / "one", a="1", b="2")
    two = folder_with(tmp_path / "two", b="2", a="1")
    os.utime(two / "opt/a", (1, 1))
    assert code_layer(one) == code_layer(two)
    with tarfile.open(fileobj=io.BytesIO(code_layer(one))) as tar:
        assert [(member.name, member.uid, member.mtime) for member in tar] == [(name, 0, recipe.EPOCH) for name in ("opt", "opt/a", "opt/b")]


def test_the_archive_holds_every_layer_and_the_delta_only_the_code(store: Store) -> None:
    base = layer_in(store, b"base")
    store.write_archives(IMAGE, "abc", Stem(CONFIG, (base,)), b"code")
    whole, delta = members(store.archive(IMAGE, "abc")), members(store.delta(IMAGE, "abc"))
    blobs = {f"blobs/sha256/{recipe.digest(content)}" for content in (b"base", b"code")}
    assert blobs <= set(whole)
    assert set(whole) - set(delta) == {f"blobs/sha256/{base.digest}"}


def test_the_archive_is_an_oci_layout_that_docker_reads_too(store: Store) -> None:
    base = layer_in(store, b"base")
    store.write_archives(IMAGE, "abc", Stem(CONFIG, (base,)), b"code")
    files = members(store.archive(IMAGE, "abc"))
    (descriptor,) = json.loads(files["index.json"])["manifests"]
    assert descriptor["annotations"]["io.containerd.image.name"] == "localhost/stint/operator:abc"
    manifest = json.loads(files["blobs/" + descriptor["digest"].replace(":", "/")])
    config = json.loads(files["blobs/" + manifest["config"]["digest"].replace(":", "/")])
    assert [files["blobs/" + layer["digest"].replace(":", "/")] for layer in manifest["layers"]] == [b"base", b"code"]
    assert config["rootfs"]["diff_ids"] == ["sha256:0", f"sha256:{recipe.digest(b'code')}"]
    assert config["config"] == CONFIG["config"]
    (docker,) = json.loads(files["manifest.json"])
    assert docker["RepoTags"] == ["localhost/stint/operator:abc"]
    assert all(name in files for name in [docker["Config"], *docker["Layers"]])


def test_the_same_image_gives_the_same_archive(store: Store) -> None:
    stem = Stem(CONFIG, (layer_in(store, b"base"),))
    store.write_archives(IMAGE, "abc", stem, b"code")
    before = store.archive(IMAGE, "abc").read_bytes()
    store.write_archives(IMAGE, "abc", stem, b"code")
    assert store.archive(IMAGE, "abc").read_bytes() == before


def test_a_stem_whose_layer_is_lost_is_built_again(store: Store) -> None:
    base = layer_in(store, b"base")
    store.keep_stem(IMAGE, "stem", Stem(CONFIG, (base,)))
    assert store.stem(IMAGE, "stem") == Stem(CONFIG, (base,))
    store.blob(base.digest).unlink()
    assert store.stem(IMAGE, "stem") is None


def test_what_another_process_may_be_about_to_load_is_not_forgotten(store: Store) -> None:
    stem = Stem(CONFIG, (layer_in(store, b"base"),))
    store.keep_stem(IMAGE, "stem", stem)
    for number in range(KEPT + 2):
        store.write_archives(IMAGE, f"{number:012}", stem, b"code")
    store.forget_old()
    assert all(store.used(IMAGE, f"{number:012}", "stem") for number in range(KEPT + 2))


def test_an_image_that_is_used_again_outlives_newer_ones(store: Store) -> None:
    stem = Stem(CONFIG, (layer_in(store, b"base"),))
    store.keep_stem(IMAGE, "stem", stem)
    for number in range(KEPT + 1):
        store.write_archives(IMAGE, f"{number:012}", stem, b"code")
        for file in (store.archive(IMAGE, f"{number:012}"), store.delta(IMAGE, f"{number:012}")):
            os.utime(file, (number + 1, number + 1))
    assert store.used(IMAGE, f"{0:012}", "stem")
    store.forget_old()
    assert store.archive(IMAGE, f"{0:012}").exists()
    assert not store.archive(IMAGE, f"{1:012}").exists()


def test_only_the_newest_archives_and_the_layers_in_use_are_kept(store: Store) -> None:
    for number in range(KEPT + 2):
        layer = layer_in(store, f"layer {number}".encode())
        stem = Stem(CONFIG, (layer,))
        store.keep_stem(IMAGE, f"stem{number}", stem)
        store.write_archives(IMAGE, f"{number:012}", stem, b"code")
        for file in (store.archive(IMAGE, f"{number:012}"), store.delta(IMAGE, f"{number:012}"), store.root / f"stems/operator-stem{number}.json"):
            os.utime(file, (number + 1, number + 1))
    base = layer_in(store, b"base")
    store.keep_base("base", base)
    store.forget_old()
    kept = [f"{number:012}" for number in range(2, KEPT + 2)]
    archives = {f"operator-{tag}{kind}.tar" for tag in kept for kind in ("", ".delta")}
    assert {file.name for file in (store.root / "archives").iterdir()} == archives
    assert {file.name for file in (store.root / "stems").iterdir()} == {f"operator-stem{number}.json" for number in range(2, KEPT + 2)}
    layers = {recipe.digest(f"layer {number}".encode()) for number in range(2, KEPT + 2)}
    assert {file.name for file in (store.root / "blobs").iterdir()} == layers | {base.digest}


def test_what_a_killed_build_left_is_removed_by_the_next(store: Store) -> None:
    (store.root / "work-123/root").mkdir(parents=True)
    with store.locked():
        assert not (store.root / "work-123").exists()


def test_the_result_of_buildah_is_split_into_stem_and_code(store: Store, tmp_path: Path) -> None:
    result = tmp_path / "result"
    result.mkdir()
    config = CONFIG | {
        "rootfs": {"type": "layers", "diff_ids": ["sha256:1", "sha256:2", "sha256:3"]},
        "history": [{"created_by": "base"}, {"created_by": "cli"}, {"created_by": "USER", "empty_layer": True}, {"created_by": "code"}],
    }
    blobs = [b"base", b"cli", b"code", json.dumps(config).encode()]
    for content in blobs:
        (result / recipe.digest(content)).write_bytes(content)
    digests = [f"sha256:{recipe.digest(content)}" for content in blobs]
    manifest = {"config": {"digest": digests[3]}, "layers": [{"digest": digest} for digest in digests[:3]]}
    (result / "manifest.json").write_text(json.dumps(manifest))
    stem, code = take_result(result, store)
    assert [store.blob(layer.digest).read_bytes() for layer in stem.layers] == [b"base", b"cli"]
    assert code.read_bytes() == b"code"
    assert stem.config["rootfs"]["diff_ids"] == ["sha256:1", "sha256:2"]
    assert [step["created_by"] for step in stem.config["history"]] == ["base", "cli", "USER"]


def test_steps_without_a_layer_after_the_last_layer_go_with_it() -> None:
    history: list[dict[str, object]] = [{"created_by": "base"}, {"created_by": "code"}, {"created_by": "USER", "empty_layer": True}]
    assert without_last_layer(history) == [{"created_by": "base"}]
