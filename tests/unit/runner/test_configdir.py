"""The config dir between two attempts: transcripts stay, everything else goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from stint_runner.configdir import clean_config
from stint_runner.prompts import RESUME, RETRY, resume_prompt
from stint_runner.transcript import holds_user_message
from unit.runner.kit import CONVERSATION, TRANSCRIPT


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def test_only_transcripts_and_what_belongs_to_them_stay(tmp_path: Path) -> None:
    project = tmp_path / "projects/-workspace"
    kept = [f"projects/-workspace/{CONVERSATION}.jsonl", f"projects/-workspace/{CONVERSATION}/subagents/one.jsonl"]
    gone = [
        ".claude.json",
        ".credentials.json",
        "settings.json",
        "CLAUDE.md",
        "agents/evil.md",
        "plugins/cache/evil/hooks.json",
        "projects/settings.json",
        "projects/-workspace/memory/MEMORY.md",
        "projects/-workspace/evil.jsonl",
    ]
    for name in kept + gone:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "locked/inner").mkdir(parents=True)
    (tmp_path / "locked").chmod(0)

    clean_config(str(tmp_path))

    assert tree(tmp_path) == sorted(kept)
    assert project.is_dir()


def test_links_go_and_what_they_point_to_stays(tmp_path: Path) -> None:
    config, outside = tmp_path / "config", tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (config / "projects").mkdir(parents=True)
    (config / "agents").symlink_to(outside)
    (config / "projects/-workspace").symlink_to(outside)

    clean_config(str(config))

    assert tree(config) == []
    assert (outside / "file").exists()


def test_a_transcript_that_is_a_link_or_a_folder_goes(tmp_path: Path) -> None:
    project = tmp_path / "projects/-workspace"
    project.mkdir(parents=True)
    (project / f"{CONVERSATION}.jsonl").symlink_to("/etc/passwd")
    (project / f"{CONVERSATION}").touch()

    clean_config(str(tmp_path))

    assert list(project.iterdir()) == []


def test_a_missing_config_dir_is_made(tmp_path: Path) -> None:
    clean_config(str(tmp_path / "a/b"))

    assert (tmp_path / "a/b").is_dir()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TRANSCRIPT, True),
        ('{"type":"queue-operation"}\nnot json\n' + TRANSCRIPT, True),
        (TRANSCRIPT.rstrip("\n"), True),
        ("", False),
        ('{"type":"queue-operation","content":"\\"user\\""}\n', False),
        ('{"type":"user","isMeta":true,"message":{"role":"user","content":"caveat"}}\n', False),
        ('{"type":"user","message":{"role":"us', False),
        ('["user"]\n', False),
        ('{"type":"assistant","message":{"role":"assistant","content":"user"}}\n', False),
    ],
)
def test_a_conversation_is_one_in_which_a_user_spoke(tmp_path: Path, text: str, expected: bool) -> None:
    (tmp_path / "t.jsonl").write_text(text)

    assert holds_user_message(str(tmp_path / "t.jsonl")) is expected


def test_a_missing_transcript_is_no_conversation(tmp_path: Path) -> None:
    assert holds_user_message(str(tmp_path / "t.jsonl")) is False


def test_a_suspended_session_and_a_lost_one_are_told_different_things() -> None:
    assert resume_prompt("Resume") == RESUME
    assert resume_prompt("Retry") == resume_prompt("Start") == RETRY
    assert all("not from the user" in text.splitlines()[0] for text in (RESUME, RETRY))
