"""Image archives: those we write, and what others hand us."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from devcluster.errors import DevclusterError
from devcluster.images import full_name, read_archive, write_image


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF")
    return path


def docker_archive(path: Path, tags: list[str] | None) -> Path:
    content = json.dumps([{"Config": "c.json", "RepoTags": tags, "Layers": []}]).encode()
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


def test_an_archive_we_wrote_is_read_back_by_name(tmp_path: Path, binary: Path) -> None:
    write_image(tmp_path / "image.tar", "localhost/one:1", binary, "program", user="1:1")
    assert read_archive(tmp_path / "image.tar").names == ("localhost/one:1",)


def test_the_same_content_has_the_same_digest_and_other_content_another(tmp_path: Path, binary: Path) -> None:
    for name in ("a.tar", "b.tar"):
        write_image(tmp_path / name, "localhost/one:1", binary, "program", user="1:1")
    binary.write_bytes(b"changed")
    write_image(tmp_path / "c.tar", "localhost/one:1", binary, "program", user="1:1")
    digests = [read_archive(tmp_path / name).digest for name in ("a.tar", "b.tar", "c.tar")]
    assert digests[0] == digests[1] != digests[2]


def test_every_blob_is_stored_under_its_digest(tmp_path: Path, binary: Path) -> None:
    write_image(tmp_path / "image.tar", "localhost/one:1", binary, "program", user="1:1")
    with tarfile.open(tmp_path / "image.tar") as archive:
        names = archive.getnames()
        index_file = archive.extractfile("index.json")
        assert index_file
        manifest_name = "blobs/" + json.load(index_file)["manifests"][0]["digest"].replace(":", "/")
        manifest_file = archive.extractfile(manifest_name)
        assert manifest_file
        manifest = json.load(manifest_file)
    for descriptor in (manifest["config"], *manifest["layers"]):
        assert f"blobs/{descriptor['digest'].replace(':', '/')}" in names


def test_all_tags_of_a_docker_archive_are_names(tmp_path: Path) -> None:
    assert read_archive(docker_archive(tmp_path / "image.tar", ["one:1", "two:2"])).names == ("one:1", "two:2")


def test_an_image_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DevclusterError, match="save it with one"):
        read_archive(docker_archive(tmp_path / "image.tar", None))


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, binary: Path) -> None:
    with pytest.raises(DevclusterError, match="is not a tar file"):
        read_archive(binary)
    with pytest.raises(DevclusterError, match="can't be read"):
        read_archive(tmp_path / "absent.tar")


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1", "docker.io/library/busybox:1"),
        ("team/app:1", "docker.io/team/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("registry.example/app:1", "registry.example/app:1"),
    ],
)
def test_names_are_completed_as_containerd_does(name: str, listed: str) -> None:
    assert full_name(name) == listed
