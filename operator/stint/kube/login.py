"""One login for Kopf and for our own client: the same credentials, the same bounded connection pool.

Kopf's own pool is unbounded (a burst of a thousand objects opened a thousand connections). Service account tokens are read anew every minute,
because kubelet replaces them long before the API server stops to accept the old one.
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

log = logging.getLogger(__name__)

TOKEN_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
TOKEN_READ_EVERY = 60.0  # seconds
CONNECTIONS = 40
"""Connections to the API server, watches included. The server's own default limit is 200 requests in flight for everybody. Nothing is compressed:
for long lists that would cost both sides more time than the network."""


class TokenFile:
    """The Authorization header from a projected service account token."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = float("-inf")
        self._header = ""

    async def __call__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """An aiohttp client middleware."""
        if time.monotonic() - self._read_at > TOKEN_READ_EVERY:
            self._header = f"Bearer {self._path.read_text().strip()}"
            self._read_at = time.monotonic()
        request.headers["Authorization"] = self._header
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
    """Log in, point ``client`` at the API server, and return the same session for Kopf."""
    info = connection(settings)
    in_cluster = TOKEN_FILE.exists()
    tls = info.as_ssl_context()
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT  # many clusters' certificates name no authority key, which Python 3.13 would refuse
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=tls, keepalive_timeout=60),
        headers={"User-Agent": "stint", "Accept-Encoding": "identity", **({} if in_cluster else info.as_http_headers())},
        middlewares=(TokenFile(TOKEN_FILE),) if in_cluster else (),
        proxy=info.proxy_url,
        trust_env=bool(info.trust_env),
        cookie_jar=aiohttp.DummyCookieJar(),
        json_serialize=lambda value: orjson.dumps(value).decode(),
    )
    server = info.server.rstrip("/")
    client.connect(server, session)
    return kopf.AiohttpSession(server=server, default_namespace=info.default_namespace, aiohttp_session=session)
