"""One login for Kopf and for our own client: the same credentials, a bounded pool of connections for each.

Kopf only watches; its own pool would be unbounded (a burst of a thousand objects opened a thousand connections). Service account tokens are read
anew every minute, because kubelet replaces them long before the API server stops to accept the old one.
"""

from __future__ import annotations

import logging
import ssl
import time
from pathlib import Path

import aiohttp
import kopf
import orjson

from stint.kube.client import KubeClient
from stint.kube.pool import Pool

log = logging.getLogger(__name__)

TOKEN_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
TOKEN_READ_EVERY = 60.0  # seconds
CONNECTIONS = 40
"""Of our own client, watches included. The server's own default limit is 200 requests in flight for everybody. Nothing is compressed: for long lists
that would cost both sides more time than the network."""
KOPF_CONNECTIONS = 8


class TokenFile:
    """The Authorization header from a projected service account token."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = float("-inf")
        self._header = ""

    def header(self) -> str:
        if time.monotonic() - self._read_at > TOKEN_READ_EVERY:
            self._header = f"Bearer {self._path.read_text().strip()}"
            self._read_at = time.monotonic()
        return self._header

    def line(self) -> str:
        """As a line of a request."""
        return f"Authorization: {self.header()}\r\n"

    async def __call__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """An aiohttp client middleware."""
        request.headers["Authorization"] = self.header()
        return await handler(request)


def connection(settings: kopf.OperatorSettings) -> kopf.ConnectionInfo:
    """Where the API server is: the pod's service account, else the kubeconfig.

    Raises `kopf.LoginError` with what to do when there is neither.
    """
    info = kopf.login_with_service_account(settings=settings) or kopf.login_via_client(settings=settings, logger=log)
    info = info or kopf.login_with_kubeconfig(settings=settings)
    if info is None:
        raise kopf.LoginError("no credentials for a Kubernetes cluster: run in a pod with a service account, or set KUBECONFIG")
    return info


async def login(client: KubeClient, settings: kopf.OperatorSettings) -> kopf.AiohttpSession:
    """Log in, point ``client`` at the API server, and return a session with the same credentials for Kopf."""
    info = connection(settings)
    token = TokenFile(TOKEN_FILE) if TOKEN_FILE.exists() else None
    own = {} if token else info.as_http_headers()
    tls = info.as_ssl_context()
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT  # many clusters' certificates name no authority key, which Python 3.13 would refuse
    server = info.server.rstrip("/")
    lines = "".join(f"{name}: {value}\r\n" for name, value in own.items())
    client.connect(Pool(server, limit=CONNECTIONS, tls=tls, headers=token.line if token else lambda: lines, proxy=info.proxy_url))
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=KOPF_CONNECTIONS, ssl=tls, keepalive_timeout=60),
        headers={"User-Agent": "stint", "Accept-Encoding": "identity", **own},
        middlewares=(token,) if token else (),
        proxy=info.proxy_url,
        cookie_jar=aiohttp.DummyCookieJar(),
        json_serialize=lambda value: orjson.dumps(value).decode(),
    )
    return kopf.AiohttpSession(server=server, default_namespace=info.default_namespace, aiohttp_session=session)
