"""A git server on a loopback port: `git http-backend` behind Python's HTTP server, with a password if one is set."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

GIT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


def git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, env=GIT, check=True, capture_output=True, text=True).stdout.strip()


@dataclass
class Repository:
    """A bare repository with two commits on `main`, a tag on the first, and a branch `feature/x`."""

    path: Path
    first: str = ""
    second: str = ""

    def fill(self, scratch: Path) -> None:
        git("init", "--quiet", "--initial-branch=main", str(scratch), cwd=scratch.parent)
        self.first = self._commit(scratch, "one")
        git("tag", "v1", cwd=scratch)
        self.second = self._commit(scratch, "two")
        git("branch", "feature/x", cwd=scratch)
        git("clone", "--quiet", "--bare", str(scratch), str(self.path), cwd=scratch.parent)

    def _commit(self, scratch: Path, text: str) -> str:
        (scratch / "file.txt").write_text(text)
        (scratch / "folder").mkdir(exist_ok=True)
        (scratch / "folder/inner.txt").write_text(text)
        git("add", ".", cwd=scratch)
        git("commit", "--quiet", "-m", text, cwd=scratch)
        return git("rev-parse", "HEAD", cwd=scratch)


@dataclass
class GitServer:
    folder: Path
    url: str = ""
    password: str | None = None
    first_protocol: bool = False
    """Speak the first version of git's protocol, in which only what a ref points to can be asked for."""
    users: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def serving(server: GitServer) -> Iterator[GitServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
            server.requests.append(format % args)

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if server.password is not None and not self._knows(server.password):
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic realm=git")
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            environ = {
                **GIT,
                "GIT_PROJECT_ROOT": str(server.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
                "GIT_PROTOCOL": "" if server.first_protocol else self.headers.get("Git-Protocol") or "",
            }
            answer = subprocess.run(["git", "http-backend"], env=environ, input=body, check=False, capture_output=True).stdout
            head, _, content = answer.partition(b"\r\n\r\n")
            headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
            self.send_response(next((int(value.split()[0]) for name, value in headers if name == "Status"), 200))
            for name, value in headers:
                if name != "Status":
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def _knows(self, password: str) -> bool:
            user, _, given = base64.b64decode((self.headers.get("Authorization") or "").removeprefix("Basic ")).decode().partition(":")
            server.users.append(user)
            return given == password

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    listener.shutdown()
    listener.server_close()
    thread.join()
