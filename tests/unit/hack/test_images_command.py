"""What the command line of the image builder refuses, in a sentence and without a traceback."""

import hashlib
import io
import tarfile
from base64 import b64encode
from pathlib import Path

import pytest

import images
from imagebuild import claude, recipe
from imagebuild.build import choose_engine
from imagebuild.commands import run
from imagebuild.errors import BuildError

MACHINE = recipe.machine_named("x86_64")


def test_an_image_that_does_not_exist_is_named_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert images.main(["stage", "operater"]) == 1
    assert capsys.readouterr().err == "images: There is no image operater: the images are operator, agent, mockapi, and for tests sshserver.\n"


def test_the_image_with_the_cli_is_never_pushed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSH_IMAGE", "true")
    monkeypatch.setenv("IMAGE", "registry.example/agent:1")
    assert images.main(["skaffold", "agent"]) == 1
    assert "contains the Claude Code CLI, which may not be published" in capsys.readouterr().err


def test_a_machine_without_any_builder_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"needs Docker, or root on Linux with buildah"):
        choose_engine(lambda: False)
    assert choose_engine(lambda: True) == "docker"


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(BuildError, match="The program no-such-program is needed for testing and is not installed"):
        run(["no-such-program"], purpose="testing")


def test_a_program_that_fails_shows_what_it_said() -> None:
    with pytest.raises(BuildError, match=r"sh failed while testing \(exit code 3\)\. It said:\nwent wrong"):
        run(["sh", "-c", "echo went wrong >&2; exit 3"], purpose="testing")


def package_in(folder: Path, content: bytes) -> Path:
    """What npm would have downloaded."""
    file = folder / "claude.tgz"
    with tarfile.open(file, "w:gz") as archive:
        member = tarfile.TarInfo(claude.MEMBER)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "images/agent").mkdir(parents=True)
    (tmp_path / "images/agent/cli-version").write_text("1.2.3\n")
    monkeypatch.setattr(recipe, "REPO", tmp_path)
    monkeypatch.setattr(claude, "download", lambda machine, version, folder: package_in(folder, b"the cli"))
    return tmp_path


def test_a_download_that_is_not_what_was_pinned_is_refused(checkout: Path, tmp_path: Path) -> None:
    (checkout / "images/agent/cli-integrity").write_text("x64 sha512-AAAA\n")
    with pytest.raises(BuildError, match=r"has the checksum sha512-\S+, but images/agent/cli-integrity says sha512-AAAA"):
        claude.binary(MACHINE, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("claude"))


def test_a_download_that_is_what_was_pinned_is_kept(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checksum = b64encode(hashlib.sha512(package_in(tmp_path, b"the cli").read_bytes()).digest()).decode()
    (checkout / "images/agent/cli-integrity").write_text(f"x64 sha512-{checksum}\n")
    monkeypatch.setattr(claude, "download", lambda machine, version, folder: tmp_path / "claude.tgz")
    binary = claude.binary(MACHINE, tmp_path / "cache")
    assert binary.read_bytes() == b"the cli"
    assert binary.stat().st_mode & 0o777 == 0o755
    (tmp_path / "claude.tgz").unlink()
    assert claude.binary(MACHINE, tmp_path / "cache") == binary


def test_pinning_writes_version_and_both_checksums(checkout: Path, tmp_path: Path) -> None:
    claude.pin("2.0.0", tmp_path / "cache")
    assert recipe.cli_version() == "2.0.0"
    assert recipe.cli_integrity(MACHINE).startswith("sha512-")
    assert recipe.cli_integrity(recipe.machine_named("aarch64")).startswith("sha512-")
