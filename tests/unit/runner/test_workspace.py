"""The session's files never leave the workspace, and the repository's text never comes from outside of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stint_runner.description import File
from stint_runner.errors import Failed
from stint_runner.paths import Paths
from stint_runner.workspace import read_guidance, read_prompt, write_files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "run/stint/inputs/files").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    return tmp_path


def write(root: Path, path: str, content: str = "new", *, overwrite: bool = True, mode: int = 0o644) -> None:
    write_files((File(path, content, None, mode),), Paths(str(root)), overwrite=overwrite)


def test_folders_are_made_and_the_mode_is_set(root: Path) -> None:
    write(root, "a/b/run.sh", "#!/bin/sh", mode=0o755)

    path = root / "workspace/a/b/run.sh"
    assert path.read_text() == "#!/bin/sh"
    assert path.stat().st_mode & 0o7777 == 0o755
    assert [each.name for each in path.parent.iterdir()] == ["run.sh"]


def test_special_bits_of_a_mode_are_dropped(root: Path) -> None:
    write(root, "tool", mode=0o4755)

    assert (root / "workspace/tool").stat().st_mode & 0o7777 == 0o755


def test_the_work_of_the_agent_is_overwritten_only_on_the_first_start(root: Path) -> None:
    write(root, "todo.md", "first")
    write(root, "todo.md", "again", overwrite=False)
    assert (root / "workspace/todo.md").read_text() == "first"

    write(root, "todo.md", "again")
    assert (root / "workspace/todo.md").read_text() == "again"


def test_a_projected_file_is_copied_byte_by_byte(root: Path) -> None:
    (root / "run/stint/inputs/files/0").write_bytes(b"\xff\x00")

    write_files((File("key.bin", None, "/run/stint/inputs/files/0", 0o600),), Paths(str(root)), overwrite=True)

    assert (root / "workspace/key.bin").read_bytes() == b"\xff\x00"


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "", "a//b", "./a", "a/.", "a\0b"])
def test_a_path_that_is_not_plainly_inside_is_refused(root: Path, path: str) -> None:
    with pytest.raises(Failed, match="InputInvalid: the path"):
        write(root, path)


def test_a_folder_that_became_a_link_is_not_followed(root: Path) -> None:
    (root / "workspace/notes").symlink_to(root / "outside")

    with pytest.raises(Failed, match=r"cannot write notes/todo.md: notes is a link"):
        write(root, "notes/todo.md")
    assert list((root / "outside").iterdir()) == []


def test_a_file_that_became_a_link_is_replaced(root: Path) -> None:
    (root / "outside/secret").write_text("secret")
    (root / "workspace/todo.md").symlink_to(root / "outside/secret")

    write(root, "todo.md")

    assert (root / "outside/secret").read_text() == "secret"
    assert not (root / "workspace/todo.md").is_symlink()


def test_a_pipe_in_the_way_does_not_block(root: Path) -> None:
    os.mkfifo(root / "workspace/todo.md")

    write(root, "todo.md")

    assert (root / "workspace/todo.md").read_text() == "new"


def test_a_folder_in_the_way_is_told(root: Path) -> None:
    (root / "workspace/todo.md/inner").mkdir(parents=True)

    with pytest.raises(Failed, match=r"cannot write todo.md"):
        write(root, "todo.md")


@pytest.mark.parametrize("file", ["/etc/passwd", "../run.json", "/run/stint/inputs/../run/run.json"])
def test_an_input_from_elsewhere_is_refused(root: Path, file: str) -> None:
    with pytest.raises(Failed, match="not below /run/stint/inputs"):
        write_files((File("x", None, file, 0o644),), Paths(str(root)), overwrite=True)


def test_the_prompt_may_be_a_file(root: Path) -> None:
    (root / "run/stint/inputs/prompt").write_text("Grüße", encoding="utf-8")

    assert read_prompt(None, "/run/stint/inputs/prompt", Paths(str(root))) == "Grüße"


def test_a_prompt_that_is_not_utf8_is_told(root: Path) -> None:
    (root / "run/stint/inputs/prompt").write_bytes(b"a\xff")

    with pytest.raises(Failed, match=r"the prompt is not UTF-8: .* at byte 1"):
        read_prompt(None, "/run/stint/inputs/prompt", Paths(str(root)))


def test_guidance_is_the_repositorys_text_up_to_its_limit(root: Path) -> None:
    (root / "workspace/CLAUDE.md").write_text("ä" * 40_000, encoding="utf-8")

    guidance = read_guidance(str(root / "workspace"))

    assert guidance == ("CLAUDE.md", "ä" * (16 * 1024))


def test_guidance_may_be_a_link_inside_the_repository(root: Path) -> None:
    (root / "workspace/AGENTS.md").write_text("use tabs")
    (root / "workspace/CLAUDE.md").symlink_to("AGENTS.md")

    assert read_guidance(str(root / "workspace")) == ("CLAUDE.md", "use tabs")


@pytest.mark.parametrize("target", ["/proc/self/environ", "../outside/secret", "loop", "."])
def test_guidance_from_elsewhere_is_not_read(root: Path, target: str) -> None:
    (root / "outside/secret").write_text("secret")
    (root / "workspace/loop").symlink_to("loop")
    (root / "workspace/CLAUDE.md").symlink_to(target)

    assert read_guidance(str(root / "workspace")) is None


def test_a_pipe_is_no_guidance(root: Path) -> None:
    os.mkfifo(root / "workspace/CLAUDE.md")

    assert read_guidance(str(root / "workspace")) is None
