"""Connections to one API server: kept alive, bounded, the one used last first."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from urllib.parse import unquote, urlsplit

from stint.kube.connection import Answer, Connection

JSON = "application/json"
CONNECT_TIMEOUT = 10.0  # seconds
IDLE_AT_MOST = 60.0
"""Seconds. Load balancers forget connections that are silent for longer, without telling."""

before_sending: ContextVar[Callable[[], None] | None] = ContextVar("before_sending", default=None)
"""Asked once a request has its connection, right before it is sent; what it raises keeps it from being sent. A request may wait long for both."""


def no_headers() -> str:
    return ""


class Pool:
    """``server``: an URL, with a path if the API is below one; ``proxy``: the URL of an HTTP proxy, with user and password if it wants some.

    ``headers``: header lines (each with its line end) of the next request. Raises `OSError` when there is no usable answer.
    """

    def __init__(
        self, server: str, *, limit: int, tls: ssl.SSLContext | None = None, headers: Callable[[], str] = no_headers, proxy: str | None = None
    ) -> None:
        url = urlsplit(server)
        self._secure = url.scheme == "https"
        self._host, self._port = url.hostname or "", url.port or (443 if self._secure else 80)
        self._prefix = url.path.rstrip("/")
        self._fixed = f"Host: {url.netloc}\r\nUser-Agent: stint\r\n"
        self._tls = tls if self._secure else None
        self._headers = headers
        self._proxy = urlsplit(proxy) if proxy else None
        self._room = asyncio.Semaphore(limit)
        self._idle: list[Connection] = []
        self.closed = False

    async def ask(self, method: str, target: str, body: bytes | None, content_type: str, timeout: float, accept: str = JSON) -> Answer:
        """A request and its whole answer, within ``timeout`` seconds once a connection is free."""
        async with self._room:
            connection = await self._connection()
            try:
                permit = before_sending.get()
                if permit is not None:
                    permit()
                return await connection.ask(self._request(method, target, body, content_type, accept), timeout)
            finally:
                self._give_back(connection)

    @asynccontextmanager
    async def stream(self, target: str, timeout: float) -> AsyncIterator[tuple[int, Connection]]:
        """GET a body that may never end: its status, and the connection to read from. ``timeout`` seconds until the status."""
        async with self._room:
            connection = await self._connection()
            try:
                yield await connection.begin(self._request("GET", target, None, ""), timeout), connection
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """No more requests; those under way may end."""
        self.closed = True
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _request(self, method: str, target: str, body: bytes | None, content_type: str, accept: str = JSON) -> bytes:
        head = f"{method} {self._prefix}{target} HTTP/1.1\r\n{self._fixed}Accept: {accept}\r\n{self._headers()}"
        if body is None:
            return f"{head}\r\n".encode()
        return f"{head}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    async def _connection(self) -> Connection:
        if self.closed:
            raise ConnectionError("signed out")
        oldest = asyncio.get_running_loop().time() - IDLE_AT_MOST
        while self._idle:
            connection = self._idle.pop()
            if connection.idle and connection.idle_since > oldest:
                return connection
            connection.close()
        async with asyncio.timeout(CONNECT_TIMEOUT):
            return await self._connect()

    def _give_back(self, connection: Connection) -> None:
        if connection.idle and not self.closed:
            self._idle.append(connection)
        else:
            connection.close()

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        if self._proxy is not None:
            return await self._connect_by_proxy(self._proxy.hostname or "", self._proxy.port or 8080)
        name = self._host if self._tls else None
        return (await loop.create_connection(Connection, self._host, self._port, ssl=self._tls, server_hostname=name))[1]

    async def _connect_by_proxy(self, host: str, port: int) -> Connection:
        assert self._proxy is not None
        loop = asyncio.get_running_loop()
        transport, tunnel = await loop.create_connection(Tunnel, host, port)
        address = f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"
        request = f"CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n{_authorization(self._proxy.username, self._proxy.password)}\r\n"
        try:
            transport.write(request.encode())
            await tunnel.open
            connection = Connection()
            if self._tls is None:
                transport.set_protocol(connection)
                connection.connection_made(transport)
                return connection
            secure = await loop.start_tls(transport, connection, self._tls, server_hostname=self._host)
            assert secure is not None
        except BaseException:
            transport.abort()
            raise
        connection.connection_made(secure)
        return connection


class Tunnel(asyncio.Protocol):
    """Waits for a proxy's answer to CONNECT."""

    def __init__(self) -> None:
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if b"\r\n\r\n" not in self._seen or self.open.done():
            return
        line = self._seen.split(b"\r\n", 1)[0].decode(errors="replace")
        if line.split(" ")[1:2] == ["200"]:
            self.open.set_result(None)
        else:
            self.open.set_exception(ConnectionRefusedError(f"the proxy answered {line}"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.open.done():
            self.open.set_exception(ConnectionResetError("the proxy closed the connection"))


def _authorization(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    token = base64.b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()
    return f"Proxy-Authorization: Basic {token}\r\n"
