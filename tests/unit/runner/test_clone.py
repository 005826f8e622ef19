"""`clone`: the repository, once, with a credential that leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stint_runner.clone import allowed_protocol, check_ref
from stint_runner.errors import Failed
from unit.runner.cloning import clone, secret
from unit.runner.gitserver import GitServer, Repository, git, serving
from unit.runner.kit import Pod


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with serving(GitServer(tmp_path / "served")) as server:
        yield server


def left_over(pod: Pod) -> list[str]:
    return [path.name for path in pod.workspace.iterdir() if path.name.startswith(".stint")]


async def test_the_default_branch_is_cloned_to_its_depth(pod: Pod, repository: Repository, server: GitServer) -> None:
    ended = await clone(pod, f"{server.url}/repo.git")

    assert (ended.code, ended.raw_message) == (0, b"")
    assert (pod.workspace / "folder/inner.txt").read_text() == "two"
    assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=pod.workspace) == "main"
    assert git("rev-list", "--count", "HEAD", cwd=pod.workspace) == "1"
    assert git("status", "--porcelain", cwd=pod.workspace) == ""
    assert left_over(pod) == []


@pytest.mark.parametrize("ref", ["v1", "first", "short"])
async def test_a_tag_or_commit_is_checked_out(pod: Pod, repository: Repository, server: GitServer, ref: str) -> None:
    wanted = {"v1": "v1", "first": repository.first, "short": repository.first[:10]}[ref]

    ended = await clone(pod, f"{server.url}/repo.git", ref=wanted)

    assert ended.code == 0, ended.errors
    assert git("rev-parse", "HEAD", cwd=pod.workspace) == repository.first


async def test_a_branch_is_followed(pod: Pod, repository: Repository, server: GitServer) -> None:
    await clone(pod, f"{server.url}/repo.git", ref="feature/x", depth=None)

    assert git("rev-parse", "--abbrev-ref", "HEAD@{upstream}", cwd=pod.workspace) == "origin/feature/x"
    assert git("rev-list", "--count", "HEAD", cwd=pod.workspace) == "2"


async def test_a_commit_that_cannot_be_asked_for_is_found_in_the_whole_history(pod: Pod, repository: Repository, server: GitServer) -> None:
    server.first_protocol = True
    git("update-ref", "-d", "refs/tags/v1", cwd=repository.path)

    ended = await clone(pod, f"{server.url}/repo.git", ref=repository.first)

    assert ended.code == 0, ended.errors
    assert git("rev-parse", "HEAD", cwd=pod.workspace) == repository.first
    assert git("rev-list", "--count", "origin/main", cwd=pod.workspace) == "2"


async def test_an_existing_repository_is_left_alone_without_git(pod: Pod) -> None:
    (pod.workspace / ".git").mkdir()
    pod.environ = {"PATH": "/nowhere"}

    ended = await clone(pod, "https://example.com/repo.git")

    assert ended.code == 0


async def test_a_crash_while_cloning_leaves_nothing_behind(pod: Pod, repository: Repository, server: GitServer) -> None:
    left = pod.workspace / ".stint-clone-1"
    (left / "half").mkdir(parents=True)

    await clone(pod, f"{server.url}/repo.git")

    assert left_over(pod) == []
    assert (pod.workspace / "file.txt").read_text() == "two"


async def test_a_crash_while_moving_is_finished_without_git(pod: Pod) -> None:
    ready = pod.workspace / ".stint-clone-ready"
    (ready / ".git").mkdir(parents=True)
    (ready / "folder").mkdir()
    (ready / "folder/new.txt").write_text("new")
    (pod.workspace / "folder").mkdir()
    (pod.workspace / "moved.txt").write_text("moved before the crash")

    ended = await clone(pod, "https://example.invalid/repo.git")

    assert ended.code == 0
    assert (pod.workspace / "folder/new.txt").read_text() == "new"
    assert sorted(path.name for path in pod.workspace.iterdir()) == [".git", "folder", "moved.txt"]


async def test_a_token_is_used_and_stays_nowhere(pod: Pod, repository: Repository, server: GitServer) -> None:
    server.password = "t0ken"
    secret(pod, token="t0ken\n")

    ended = await clone(pod, f"{server.url}/repo.git", auth="Token")

    assert ended.code == 0, ended.errors
    assert server.users[-1] == "x-access-token"
    traces = [path for folder in ("workspace", "tmp") for path in (pod.root / folder).rglob("*") if path.is_file()]
    assert not [path for path in traces if b"t0ken" in path.read_bytes()]


async def test_a_wrong_token_fails_and_is_not_repeated(pod: Pod, repository: Repository, server: GitServer) -> None:
    server.password = "right"
    secret(pod, token="wr0ng", username="me")

    ended = await clone(pod, f"{server.url}/wr0ng/repo.git", auth="Token")

    assert (ended.code, ended.message["version"], ended.message["error"]["class"]) == (1, 1, "CloneFailed")
    assert "Authentication failed" in ended.message["error"]["message"]
    assert "wr0ng" not in ended.message["error"]["message"] + ended.errors
    assert server.users[-1] == "me"


async def test_hooks_and_submodules_of_the_repository_do_not_run(pod: Pod, tmp_path: Path, server: GitServer, repository: Repository) -> None:
    scratch = tmp_path / "scratch"
    (scratch / ".gitmodules").write_text(f'[submodule "evil"]\n path = evil\n url = ext::sh -c "touch {tmp_path}/pwned"\n')
    git("update-index", "--add", "--cacheinfo", f"160000,{repository.first},evil", cwd=scratch)
    git("add", ".gitmodules", cwd=scratch)
    git("commit", "--quiet", "-m", "submodule", cwd=scratch)
    git("push", "--quiet", str(repository.path), "HEAD:main", cwd=scratch)

    ended = await clone(pod, f"{server.url}/repo.git")

    assert ended.code == 0, ended.errors
    assert not (tmp_path / "pwned").exists()


async def test_a_missing_repository_is_told(pod: Pod, server: GitServer, repository: Repository) -> None:
    ended = await clone(pod, f"{server.url}/nothing.git")

    assert ended.message["error"]["class"] == "CloneFailed"
    assert "not found" in ended.message["error"]["message"]
    assert not (pod.workspace / ".git").exists()


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("https://github.com/a/b.git", "https"),
        ("https://git.example.com:8443/a/b", "https"),
        ("ssh://git@github.com/a/b.git", "ssh"),
        ("git@github.com:a/b.git", "ssh"),
        ("http://git.team-a.svc/a/b.git", "http"),
        ("http://git.team-a.svc.cluster.local:3000/a/b.git", "http"),
    ],
)
def test_what_git_may_speak_follows_from_the_url(url: str, protocol: str) -> None:
    assert allowed_protocol(url, {}) == protocol


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "ext::sh -c id",
        "git://host/a",
        "--upload-pack=id",
        "-oProxyCommand=id",
        "ssh://-oProxyCommand=id/a",
        "-x@host:a",
        "https://user:secret@host/a",
        "https://token@host/a",
        "ssh://git:secret@host/a",
        "http://example.com/a",
        "https://host",
        "",
    ],
)
def test_an_unsafe_url_is_refused(url: str) -> None:
    with pytest.raises(Failed, match="CloneFailed"):
        allowed_protocol(url, {})


@pytest.mark.parametrize("ref", ["", "-x", "--upload-pack=id", "a b", "a:b", "a\nb", "HEAD~1"])
def test_an_unsafe_ref_is_refused(ref: str) -> None:
    with pytest.raises(Failed, match="CloneFailed"):
        check_ref(ref)
