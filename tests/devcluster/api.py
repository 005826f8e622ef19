"""A small client of the Kubernetes API on the standard library, for `up` and the volume provisioner.

It keeps one connection per thread, speaks JSON and knows no kinds. Watches use a connection of their own.
"""

import base64
import http.client
import json
import ssl
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

Object = dict[str, Any]


class ApiError(Exception):
    """The API server refused; `status` is the HTTP code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """Requests to the server of a kubeconfig that holds a client certificate."""

    def __init__(self, kubeconfig: Path, timeout: float = 10.0) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._address = urlsplit(cluster["server"])
        self._timeout = timeout
        self._tls = ssl.create_default_context(cadata=_decode(cluster["certificate-authority-data"]))
        with tempfile.NamedTemporaryFile("w") as file:  # the ssl module loads client certificates from files only
            file.write(_decode(user["client-certificate-data"]) + _decode(user["client-key-data"]))
            file.flush()
            self._tls.load_cert_chain(file.name)
        self._local = threading.local()
        self._open: list[http.client.HTTPSConnection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._open:
            connection.close()

    def get(self, path: str) -> Object:
        """The object or list at `path`."""
        return self.request("GET", path)

    def request(self, method: str, path: str, body: Object | None = None, content_type: str = "application/json") -> Object:
        """One request; raises ApiError for every answer that is not 2xx, OSError or HTTPException if there is none."""
        data = None if body is None else json.dumps(body).encode()
        connection = self._connection()
        try:
            connection.request(method, path, body=data, headers={"Content-Type": content_type, "Accept": "application/json"})
            response = connection.getresponse()
            payload = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        return _decoded(response, payload)

    def watch(self, path: str, resource_version: str) -> Iterator[Object]:
        """Events ({type, object}) since `resource_version`, until the server ends the watch."""
        connection = self._connect(timeout=600.0)
        try:
            connection.request("GET", f"{path}?watch=true&allowWatchBookmarks=true&timeoutSeconds=500&resourceVersion={resource_version}")
            response = connection.getresponse()
            if response.status != 200:
                _decoded(response, response.read())
            while line := response.readline():
                yield json.loads(line)
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPSConnection:
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect(self._timeout)
            self._open.append(connection)
        return connection

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._address.hostname or "", self._address.port, timeout=timeout, context=self._tls)


def _decoded(response: http.client.HTTPResponse, payload: bytes) -> Object:
    try:
        content: Object = json.loads(payload) if payload[:1] == b"{" else {"text": payload.decode(errors="replace")}
    except ValueError:
        content = {"text": payload.decode(errors="replace")}
    if not 200 <= response.status < 300:
        raise ApiError(response.status, str(content.get("message") or content.get("text") or response.reason))
    return content


def _decode(value: str) -> str:
    return base64.b64decode(value).decode()
