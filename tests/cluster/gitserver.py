"""A git server for the cluster: smart HTTP, one repository open to all and one behind a token. Runs in a pod of the agent image.

Usage inside the pod: python3 gitserver.py REPOSITORIES.json   ({name: {path: content}}), served at http://HOST:8080/<name>.git
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = tempfile.mkdtemp()
TOKEN = "git-token-of-the-test"
EXPECTED = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


def make(name: str, files: dict[str, str]) -> None:
    work = os.path.join(ROOT, name)
    for path, content in files.items():
        os.makedirs(os.path.dirname(os.path.join(work, path)), exist_ok=True)
        with open(os.path.join(work, path), "w") as file:
            file.write(content)
    git = ["git", "-C", work, "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A", "-f"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", work, f"{work}.git"], check=True)


class Handler(BaseHTTPRequestHandler):
    """CGI for `git http-backend`."""

    def do_GET(self) -> None:
        self.serve()

    do_POST = do_GET  # noqa: N815

    def serve(self) -> None:
        if self.path.startswith("/private") and self.headers.get("Authorization") != EXPECTED:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        env = {
            **os.environ, "GIT_PROJECT_ROOT": ROOT, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "HOME": "/tmp",
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=env, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        for name, files in json.load(file).items():
            make(name, files)
    ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
