"""`clone` over ssh: what ssh is told, and what is told of what ssh says. A script stands in for ssh."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit.runner.cloning import clone, secret
from unit.runner.gitserver import Repository
from unit.runner.kit import Pod

FAKE_SSH = """#!/bin/sh
echo "$@" > "{record}"
while [ $# -gt 1 ]; do [ "$1" = -i ] && cat "$2" > "{record}.key"; shift; done
exec sh -c "$1"
"""


def fake_ssh(pod: Pod, tmp_path: Path, script: str = FAKE_SSH) -> Path:
    """Puts a program in ssh's place; the file returned has its arguments."""
    record, tools = tmp_path / "ssh-arguments", tmp_path / "tools"
    tools.mkdir()
    (tools / "ssh").write_text(script.replace("{record}", str(record)))
    (tools / "ssh").chmod(0o755)
    pod.environ = {"PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin"}
    return record


async def test_an_ssh_key_is_handed_to_ssh_alone(pod: Pod, repository: Repository, tmp_path: Path) -> None:
    record = fake_ssh(pod, tmp_path)
    secret(pod, ssh_privatekey="KEY", known_hosts="host ssh-ed25519 AAAA")

    ended = await clone(pod, f"ssh://git@host{repository.path}", auth="SSHKey")

    assert ended.code == 0, ended.errors
    assert "StrictHostKeyChecking=yes" in record.read_text()
    assert "BatchMode=yes" in record.read_text()
    assert record.with_name("ssh-arguments.key").read_text() == "KEY\n"
    assert list((pod.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("auth", ["None", "SSHKey"])
async def test_a_host_key_that_was_not_given_is_never_accepted(pod: Pod, repository: Repository, tmp_path: Path, auth: str) -> None:
    record = fake_ssh(pod, tmp_path)
    secret(pod, ssh_privatekey="KEY")

    await clone(pod, f"ssh://git@host{repository.path}", auth=auth)

    assert "StrictHostKeyChecking=yes" in record.read_text()


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("git@host: Permission denied (publickey).", "the server does not accept ssh-privatekey of the Secret"),
        ("Host key verification failed.", "the server's host key is not in known_hosts of the Secret"),
    ],
)
async def test_what_ssh_complains_of_is_told_in_the_words_of_the_session(pod: Pod, tmp_path: Path, said: str, cause: str) -> None:
    fake_ssh(pod, tmp_path, f"#!/bin/sh\necho '{said}' >&2; exit 255\n")
    secret(pod, ssh_privatekey="KEY")

    ended = await clone(pod, "ssh://git@host/app.git", auth="SSHKey")

    assert ended.message["error"]["class"] == "CloneFailed"
    assert ended.message["error"]["message"].startswith(f"{cause} (workspace.git.secretRef): {said}\n")


async def test_of_a_long_complaint_whole_lines_are_told(pod: Pod, tmp_path: Path) -> None:
    fake_ssh(pod, tmp_path, f"#!/bin/sh\necho '{'@' * 900}' >&2; echo 'Host key verification failed.' >&2; exit 255\n")
    secret(pod, ssh_privatekey="KEY")

    ended = await clone(pod, "ssh://git@host/app.git", auth="SSHKey")

    assert "@" not in ended.message["error"]["message"]
    assert "Host key verification failed." in ended.message["error"]["message"]
