"""Repositories over ssh: a real sshd admits one key, and the session insists on the host key that it was given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.bed import Bed
from cluster.kube import Json
from cluster.sessions import finished, reason, script, session
from cluster.sshgit import HOST, IMAGE, Key, SSHServer, everything_written, serving
from cluster.sshserver import HOME

pytestmark = pytest.mark.image(IMAGE)

LONG, SHORT = f"ssh://git@{HOST}{HOME}/app.git", f"git@{HOST}:app.git"
DECOY = "found by whoever looks"
LOOK_AROUND = r"""
cat file.txt; {
  env; cat /proc/*/environ | tr '\0' '\n'; find /run /var /home /tmp /workspace -type f -size -64k | xargs -r cat;
  find / -xdev -type f -size -64k -newer /etc/passwd | xargs -r cat;
} 2>/dev/null | grep -a -A9 'PRIVATE[ ]KEY'; true
"""
"""Prints keys only: of a long output the CLI keeps the beginning. The pattern does not match itself, wherever the prompt lies."""


@pytest.fixture(scope="module")
def server(bed: Bed) -> Iterator[SSHServer]:
    with serving(bed, {"app": {"file.txt": "for members\n", "decoy.pem": f"-----BEGIN PRIVATE KEY-----\n{DECOY}\n"}}) as server:
        yield server


def working_on(bed: Bed, namespace: str, url: str, key: Key, **known_hosts: str) -> Json:
    """A session with a repository and a key for it, after its end. Its agent looks at all that it can before it answers."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git", "namespace": namespace}}
    bed.kube.create({**secret, "stringData": {"ssh-privatekey": key.private, **known_hosts}})
    look = {"tool": "Bash", "input": {"command": LOOK_AROUND}}
    prompt = script(look, {"expect": "for members", "text": "read", "else": {"text": "missing"}})
    workspace = {"ephemeral": True, "git": {"url": url, "secretRef": {"name": "git"}}}
    return finished(bed, bed.kube.create(session(namespace, "member", prompt, workspace=workspace, retry={"limit": 0})))


def refusal(done: Json) -> str:
    """The message of a session that could not clone, and whose agent was not started."""
    status = done["status"]
    assert status["phase"] == "Failed", status
    assert (status["result"]["error"]["class"], reason(done), status["usage"]["requests"]) == ("CloneFailed", "CloneFailed", 0)
    return str(status["result"]["error"]["message"])


def assert_secret(bed: Bed, item: Json, key: Key) -> None:
    """No line of the private key is anywhere but in its Secret."""
    written = everything_written(bed, item)
    assert [line for line in key.lines if line in written] == []


@pytest.mark.parametrize("url", [LONG, SHORT], ids=["as a URL", "the short way"])
def test_the_key_opens_a_repository_and_stays_out_of_the_agents_sight(bed: Bed, namespace: str, server: SSHServer, url: str) -> None:
    done = working_on(bed, namespace, url, server.member, known_hosts=server.known_hosts)
    assert done["status"]["result"]["text"] == "read", done["status"]
    assert f"ED25519 {server.member.fingerprint}" in server.log()
    assert DECOY in everything_written(bed, done), "the agent did not look everywhere"
    assert_secret(bed, done, server.member)


def test_a_key_that_the_server_does_not_admit_is_named_as_the_cause_and_not_told(bed: Bed, namespace: str, server: SSHServer) -> None:
    stranger = Key()
    done = working_on(bed, namespace, LONG, stranger, known_hosts=server.known_hosts)
    assert refusal(done).startswith("the server does not accept ssh-privatekey of the Secret"), refusal(done)
    assert f"git@{HOST}: Permission denied (publickey)" in refusal(done)
    assert_secret(bed, done, stranger)


def test_a_server_with_another_host_key_is_refused(bed: Bed, namespace: str, server: SSHServer) -> None:
    done = working_on(bed, namespace, LONG, server.member, known_hosts=f"{HOST} {Key().public}\n")
    assert refusal(done).startswith("the server's host key is not in known_hosts of the Secret"), refusal(done)
    assert server.host.fingerprint in refusal(done)
    assert_secret(bed, done, server.member)


def test_a_server_whose_host_key_was_not_given_is_refused(bed: Bed, namespace: str, server: SSHServer) -> None:
    done = working_on(bed, namespace, LONG, server.member)
    assert refusal(done).startswith("the server's host key is not in known_hosts of the Secret"), refusal(done)
    assert f"No ED25519 host key is known for {HOST}" in refusal(done)
    assert_secret(bed, done, server.member)
