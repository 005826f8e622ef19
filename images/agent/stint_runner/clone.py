"""`stint-runner clone`: the repository, once.

If the workspace has a repository, git is not run at all: the agent could have written anything into its configuration, and this
container holds the credential. The same holds for what is cloned: no hooks, no submodules, no protocol but the ones asked for.
"""

import os
import re
from collections.abc import Mapping

from .description import Git, read_description
from .errors import CLONE_FAILED, Failed
from .git import Runner, credentials
from .paths import Paths
from .removal import remove
from .settle import settle

_FULL = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ABBREVIATED = re.compile(r"[0-9a-f]{7,64}")
_SCP = re.compile(r"[\w.-]+@[\w.-]+:(?!//).+")
_URL = re.compile(r"(https?|ssh)://(?:([^/@]*)@)?([\w.-]+|\[[0-9a-fA-F:]+\])(?::\d+)?/.+")


def clone(environ: Mapping[str, str]) -> None:
    paths = Paths.of(environ)
    git = read_description(paths.description).git
    if git is None or os.path.lexists(f"{paths.workspace}/.git"):
        return
    protocol = allowed_protocol(git.url, environ)
    check_ref(git.ref)
    with credentials(git.auth, paths) as access:
        runner = Runner(environ, protocol, access, paths)
        settle(paths.workspace, "clone", lambda folder: _fetch(runner, git, folder), last=".git")


def allowed_protocol(url: str, environ: Mapping[str, str]) -> str:
    """What git may speak for this URL. Raises Failed for whatever could run a program, read a file, or carries a password."""
    if _SCP.fullmatch(url) and not url.startswith("-"):
        return "ssh"
    match = _URL.fullmatch(url)
    if match is None:
        raise Failed(CLONE_FAILED, "the URL of the repository must be https://host/path, ssh://user@host/path or user@host:path")
    scheme, user, host = match[1], match[2], match[3]
    if user and (scheme != "ssh" or ":" in user or user.startswith("-")):
        raise Failed(CLONE_FAILED, "the URL of the repository must not carry a credential: put it into a Secret (workspace.git.secretRef)")
    if host.startswith("-"):
        raise Failed(CLONE_FAILED, "the host of the repository must not begin with a dash")
    if scheme == "http" and not (host.endswith((".svc", ".svc.cluster.local")) or environ.get("STINT_ALLOW_HTTP") == "1"):
        raise Failed(CLONE_FAILED, "http is for hosts inside the cluster (*.svc): use https")
    return scheme


def check_ref(ref: str | None) -> None:
    if ref is not None and (not ref or ref.startswith("-") or ":" in ref or any(char.isspace() or char in "~^?*[\\\0" for char in ref)):
        raise Failed(CLONE_FAILED, f"{ref!r} is no name of a branch, a tag or a commit")


def _fetch(git: Runner, wanted: Git, folder: str) -> None:
    depth = () if wanted.depth is None else (f"--depth={wanted.depth}",)
    ref = wanted.ref
    if ref is not None and _FULL.fullmatch(ref):
        _fetch_commit(git, wanted.url, ref, depth, folder)
        return
    branch = () if ref is None else (f"--branch={ref}",)
    failure = git.try_run("clone", "--quiet", *depth, *branch, "--", wanted.url, folder)
    if failure is None:
        return
    if ref is None or not _ABBREVIATED.fullmatch(ref) or "not found in upstream" not in failure:
        raise Failed(CLONE_FAILED, failure)
    _clone_whole(git, wanted.url, ref, folder)


def _fetch_commit(git: Runner, url: str, commit: str, depth: tuple[str, ...], folder: str) -> None:
    """One commit without its history, where the server lets it be asked for; else everything."""
    git.run("init", "--quiet", "--", folder)
    git.run("-C", folder, "remote", "add", "--", "origin", url)
    if git.try_run("-C", folder, "fetch", "--quiet", *depth, "origin", commit) is None:
        git.run("-C", folder, "checkout", "--quiet", "--detach", commit)
    else:
        _clone_whole(git, url, commit, folder)


def _clone_whole(git: Runner, url: str, commit: str, folder: str) -> None:
    remove(folder)
    git.run("clone", "--quiet", "--no-checkout", "--", url, folder)
    git.run("-C", folder, "checkout", "--quiet", "--detach", f"{commit}^{{commit}}")
