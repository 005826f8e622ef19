"""`continue`: the conversation, and the workspace if asked, of another session's volume."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stint_runner.transcript import prompt_id
from unit.runner.kit import CONVERSATION, SOURCE, TRANSCRIPT, Ended, Pod


@pytest.fixture
def source(pod: Pod) -> Path:
    """The source's volume: a conversation with a subagent, and a workspace with all kinds of entries."""
    volume = pod.root / "run/stint/source"
    transcripts = volume / "claude" / "projects" / pod.transcripts.name
    (transcripts / SOURCE / "subagents").mkdir(parents=True)
    (transcripts / f"{SOURCE}.jsonl").write_text(TRANSCRIPT)
    (transcripts / SOURCE / "subagents/one.jsonl").write_text("{}")
    (volume / "claude/settings.json").write_text("{}")
    workspace = volume / "workspace"
    (workspace / "folder").mkdir(parents=True)
    (workspace / "folder/script.sh").write_text("#!/bin/sh")
    (workspace / "folder/script.sh").chmod(0o755)
    (workspace / "link").symlink_to("folder/script.sh")
    os.mkfifo(workspace / "pipe")
    return volume


async def continue_(pod: Pod, *, workspace: bool) -> Ended:
    return await pod.run("continue", forkFrom=SOURCE, **{"continue": {"conversation": SOURCE, "workspace": workspace}})


async def test_the_conversation_is_copied_and_nothing_else(pod: Pod, source: Path) -> None:
    ended = await continue_(pod, workspace=False)

    assert (ended.code, ended.raw_message) == (0, b"")
    assert (pod.transcripts / f"{SOURCE}.jsonl").read_text() == TRANSCRIPT
    assert (pod.transcripts / SOURCE / "subagents/one.jsonl").exists()
    assert not (pod.config / "settings.json").exists()
    assert list(pod.workspace.iterdir()) == []


async def test_the_workspace_is_copied_if_asked(pod: Pod, source: Path) -> None:
    await continue_(pod, workspace=True)

    assert os.access(pod.workspace / "folder/script.sh", os.X_OK)
    assert os.readlink(pod.workspace / "link") == "folder/script.sh"
    assert sorted(path.name for path in pod.workspace.iterdir()) == ["folder", "link"]


async def test_what_was_done_before_is_not_done_again(pod: Pod, source: Path) -> None:
    await continue_(pod, workspace=True)
    (pod.workspace / "folder/script.sh").write_text("worked on")

    ended = await continue_(pod, workspace=True)

    assert ended.code == 0
    assert (pod.workspace / "folder/script.sh").read_text() == "worked on"


async def test_a_crash_half_way_is_recovered(pod: Pod, source: Path) -> None:
    (pod.workspace / ".stint-continue-1/half").mkdir(parents=True)
    (pod.transcripts / SOURCE / "half").mkdir(parents=True)

    await continue_(pod, workspace=True)

    assert sorted(path.name for path in pod.workspace.iterdir()) == ["folder", "link"]
    assert sorted(path.name for path in (pod.transcripts / SOURCE).iterdir()) == ["subagents"]


async def test_a_source_without_the_conversation_fails(pod: Pod, source: Path) -> None:
    next(source.rglob(f"{SOURCE}.jsonl")).unlink()

    ended = await continue_(pod, workspace=False)

    assert (ended.code, ended.message["error"]["class"]) == (1, "ContinueFailed")
    assert SOURCE in ended.message["error"]["message"]


async def test_a_source_on_whose_volume_nothing_was_ever_written_fails(pod: Pod) -> None:
    (pod.root / "run/stint/source/meter").mkdir(parents=True)

    ended = await continue_(pod, workspace=True)

    assert (ended.code, ended.message["error"]["class"]) == (1, "ContinueFailed")
    assert "never got to its first turn" in ended.message["error"]["message"]


@pytest.mark.parametrize("name", [f"{SOURCE}.jsonl", SOURCE])
async def test_a_link_out_of_the_sources_folder_is_not_followed(pod: Pod, source: Path, name: str) -> None:
    place = source / "claude/projects" / pod.transcripts.name / name
    elsewhere = source / "meter" / name
    elsewhere.parent.mkdir()
    place.rename(elsewhere)
    place.symlink_to(elsewhere)

    ended = await continue_(pod, workspace=False)

    assert (ended.code, ended.message["error"]["class"]) == (1, "ContinueFailed")
    assert not (pod.transcripts / name).exists()


async def test_the_run_forks_the_copied_conversation_under_its_own_name(pod: Pod, source: Path) -> None:
    await continue_(pod, workspace=False)
    pod.script = {"turn": []} | {"code": 0}

    await pod.run(forkFrom=SOURCE, prompt="and now the next step", timeoutSeconds=0.3, graceSeconds=1)

    argv = pod.started()["argv"]
    assert {f"--resume={SOURCE}", "--fork-session", "--session-id=11111111-2222-5333-8444-555555555555"} <= set(argv)
    assert pod.received("user")[0]["message"]["content"] == "and now the next step"


async def test_a_run_without_the_copied_conversation_fails(pod: Pod) -> None:
    ended = await pod.run(forkFrom=SOURCE)

    assert ended.message["error"]["class"] == "ContinueFailed"


async def test_a_fork_that_was_killed_before_its_task_was_written_starts_anew(pod: Pod, source: Path) -> None:
    await continue_(pod, workspace=False)
    pod.transcript(TRANSCRIPT)
    pod.script = {"turn": []}

    ended = await pod.run(reason="Retry", forkFrom=SOURCE, prompt="and now the next step", timeoutSeconds=0.3, graceSeconds=1)

    assert ended.message["resumed"] is False
    assert pod.received("user")[0]["message"]["content"] == "and now the next step"


async def test_a_fork_whose_task_was_written_goes_on(pod: Pod, source: Path) -> None:
    await continue_(pod, workspace=False)
    task = {"type": "user", "uuid": prompt_id(CONVERSATION), "message": {"role": "user", "content": "and now the next step"}}
    pod.transcript(TRANSCRIPT + json.dumps(task) + "\n")
    pod.script = {"turn": []}

    ended = await pod.run(reason="Retry", forkFrom=SOURCE, prompt="and now the next step", timeoutSeconds=0.3, graceSeconds=1)

    assert ended.message["resumed"] is True
    assert f"--resume={CONVERSATION}" in pod.started()["argv"]
