"""Running git where a credential is at hand and the other side is not trusted.

The credential reaches git through an askpass script or a key file in this container's own `/tmp`; it never stands in an argument, in
the repository's configuration, or in an error message.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .errors import CLONE_FAILED, Failed
from .paths import Paths
from .removal import remove

_KEPT = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "TZ")

_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "credential.helper": "",
    "submodule.recurse": "false",
    "protocol.allow": "never",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
}

_ASKPASS = """#!/bin/sh
case "$1" in
Username*) cat "$STINT_GIT_USERNAME" ;;
*) cat "$STINT_GIT_TOKEN" ;;
esac
"""

DEFAULT_USERNAME = "x-access-token"

_EXPLAINED = {
    "Host key verification failed": "the server's host key is not in known_hosts of the Secret (workspace.git.secretRef)",
    "Permission denied (publickey": "the server does not accept ssh-privatekey of the Secret (workspace.git.secretRef)",
}
"""What ssh says, and what that means for whoever wrote the session."""


@dataclass(frozen=True)
class Access:
    """What git needs to log in, as environment; `secrets` must not show up in any message."""

    environ: dict[str, str]
    secrets: tuple[str, ...] = ()


@contextlib.contextmanager
def credentials(auth: str, paths: Paths) -> Iterator[Access]:
    """The credential of `workspace.git.secretRef`, in a private folder that is gone afterwards."""
    folder = f"{paths.tmp}/stint-git-{os.getpid()}"
    remove(folder)
    os.makedirs(folder, 0o700)
    try:
        if auth == "Token":
            yield _token(folder, paths)
        elif auth == "SSHKey":
            yield _ssh_key(folder, paths)
        else:
            yield Access({"GIT_SSH_COMMAND": _ssh("UserKnownHostsFile=/dev/null")})
    finally:
        remove(folder)


class Runner:
    def __init__(self, environ: Mapping[str, str], protocol: str, access: Access, paths: Paths) -> None:
        self._secrets = access.secrets
        self._environ = {
            **{name: environ[name] for name in _KEPT if name in environ},
            "HOME": paths.tmp,
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ALLOW_PROTOCOL": protocol,
            **access.environ,
        }

    def run(self, *arguments: str) -> None:
        failure = self.try_run(*arguments)
        if failure is not None:
            raise Failed(CLONE_FAILED, failure)

    def try_run(self, *arguments: str) -> str | None:
        """None when git succeeded, else the end of what it said, after a sentence on the cause where that is known."""
        settings = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
        try:
            done = subprocess.run(
                ["git", *settings, *arguments],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
            )
        except OSError as error:
            raise Failed(CLONE_FAILED, f"git cannot be started: {error.strerror}") from None
        if done.returncode == 0:
            return None
        said = done.stderr.decode("utf-8", "replace").replace("\r", "").strip() or f"git ended with {done.returncode}"
        for secret in self._secrets:
            said = said.replace(secret, "***")
        cause = next((f"{cause}: " for sign, cause in _EXPLAINED.items() if sign in said), "")
        return cause + _end(said)


def _end(said: str, length: int = 800) -> str:
    """The last lines, as many as fit; of a single long line its end."""
    end = said[-length:]
    return end if len(said) <= length else end.partition("\n")[2] or end


def _token(folder: str, paths: Paths) -> Access:
    token = _read(paths, "token")
    username = _read(paths, "username", DEFAULT_USERNAME)
    script = _private(folder, "askpass", _ASKPASS, 0o700)
    environ = {
        "GIT_ASKPASS": script,
        "STINT_GIT_TOKEN": _private(folder, "token", token),
        "STINT_GIT_USERNAME": _private(folder, "username", username),
    }
    return Access(environ, (token,) if token else ())


def _ssh_key(folder: str, paths: Paths) -> Access:
    key = _private(folder, "key", _read(paths, "ssh-privatekey") + "\n")
    hosts = _private(folder, "known_hosts", _read(paths, "known_hosts", "") + "\n")
    return Access({"GIT_SSH_COMMAND": _ssh(f"UserKnownHostsFile={hosts}", "IdentitiesOnly=yes", key=key)})


def _ssh(*options: str, key: str | None = None) -> str:
    """The command for ssh. Every pod meets every server for the first time, so a host key that was not given beforehand is never accepted."""
    always = ("BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=15", "ServerAliveInterval=15", "ServerAliveCountMax=4")
    words = ["ssh", "-F", "/dev/null", *(() if key is None else ("-i", key))]
    return " ".join([*words, *(part for option in (*always, *options) for part in ("-o", option))])


def _read(paths: Paths, name: str, default: str | None = None) -> str:
    """A key of the Secret, without the newline that editors add."""
    try:
        with open(f"{paths.git_secret}/{name}", encoding="utf-8") as file:
            return file.read().strip("\n")
    except FileNotFoundError:
        if default is not None:
            return default
        raise Failed(CLONE_FAILED, f"the Secret of the repository has no key {name}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(CLONE_FAILED, f"the key {name} of the repository's Secret cannot be read: {error}") from None


def _private(folder: str, name: str, content: str, mode: int = 0o600) -> str:
    path = f"{folder}/{name}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    return path
