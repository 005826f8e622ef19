"""What the agent may ask of the model API through the gateway, and nothing else.

Only paths whose cost is metered, or that cost nothing, are let through: files, batches and the admin API would be a way
around the limit. Paths are compared as they were sent, before any decoding, so that no other spelling gets through.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket

import aiohttp
from aiohttp import web
from yarl import URL

from stint.gateway import admit
from stint.gateway.config import GatewayConfig
from stint.gateway.credential import Credential, CredentialError
from stint.gateway.errors import LastError, Refusal, Refused
from stint.gateway.exchange import Agent, Exchange, Outgoing, beginning
from stint.gateway.guard import Guard
from stint.gateway.headers import to_provider
from stint.gateway.meter import at_most
from stint.gateway.record import Record
from stint.gateway.room import Room
from stint.gateway.usage import known_as

log = logging.getLogger(__name__)

MAX_BODY = 32 << 20  # bytes
CONNECT_TIMEOUT = 10.0  # seconds
KEEP_ALIVE = 60.0  # seconds an idle connection to the provider is kept

PASSES = "POST /v1/messages, POST /v1/messages/count_tokens, GET /v1/models"
_MODELS = re.compile(r"/v1/models(/[A-Za-z0-9][A-Za-z0-9._:@-]*)?")


def provider_client(read_timeout: float) -> aiohttp.ClientSession:
    """The pool of connections to the provider. No total timeout: a stream takes as long as it takes."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, socket_factory=_lasting_socket),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=read_timeout),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
    )


def _lasting_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A silent answer may take minutes, in which routers forget a connection that nothing passes over."""
    family, kind, protocol, _, _ = address
    fresh = socket.socket(family, kind, protocol)
    fresh.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    fresh.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    return fresh


class Proxy:
    """The agent's way to the model. `pumps` are the exchanges under way; `closing` refuses new ones."""

    def __init__(self, config: GatewayConfig, credential: Credential, record: Record, client: aiohttp.ClientSession) -> None:
        self._config = config
        self._credential = credential
        self._record = record
        self._client = client
        self.pumps: set[asyncio.Task[web.StreamResponse]] = set()
        self.closing = False
        self._room = Room(MAX_BODY)
        self._guard = Guard(str(URL(config.provider.base_url).origin()))

    async def warm(self) -> None:
        """Open a connection before the first request needs it. Without the credential; any answer will do.

        GET, not HEAD, and read to its end: else the client closes the connection instead of keeping it.
        """
        timeout = aiohttp.ClientTimeout(total=CONNECT_TIMEOUT)
        try:
            async with self._client.get(f"{self._config.provider.base_url}/api/hello", timeout=timeout, allow_redirects=False) as answer:
                await beginning(answer)
        except (aiohttp.ClientError, OSError) as problem:
            log.info("the provider could not be reached in advance", extra={"problem": str(problem)})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._route(request)
        except Refused as problem:
            refusal = problem.refusal
            log.info("refused", extra={"status": refusal.status, "type": refusal.kind})
            await self._record.save()
            return refusal.response()

    async def _route(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        match request.method, path:
            case "GET" | "HEAD", "/api/hello":
                return web.json_response({"message": "hello"})
            case "POST", "/v1/messages":
                self._record.arrived()
                async with self._room.of(_announced(request)):
                    body = await body_of(request, MAX_BODY)
                    ask = admit.read(body)
                    await self._check_journal()
                    await self._turn(ask)
                    return await self._forward(request, body, ask)
            case "POST", "/v1/messages/count_tokens":
                async with self._room.of(_announced(request)):
                    return await self._forward(request, await body_of(request, MAX_BODY), None)
            case "GET", _ if _MODELS.fullmatch(path):
                return await self._forward(request, None, None)
        message = f"{known_as(f'{request.method} {path}')} does not pass this gateway, which lets through only what it can meter: {PASSES}."
        raise Refused(Refusal(404, "not_found_error", message))

    async def _check_journal(self) -> None:
        """What cannot be put on record is not spent: an agent could fill the disk and have its account forgotten."""
        if self._record.broken is not None:
            await self._record.save()
        if self._record.broken is not None:
            message = f"The usage journal cannot be written ({self._record.broken}). Free space on the session's volume."
            raise Refused(Refusal(503, "api_error", message, retry=True))

    async def _turn(self, ask: admit.Ask) -> None:
        """Near a limit requests go one after the other, so that it is passed by one answer at most, however many the agent asks for at once.

        Nothing may be awaited between the end of this and `Record.opened`.
        """
        self._check(ask)
        while self._record.crowded(self._config.limits, str(self._config.session)):
            await self._record.one_settled()
            self._check(ask)

    def _check(self, ask: admit.Ask) -> None:
        refusal = admit.refuse(admit.Seen(ask, self._record.counted, self._config))
        if refusal is not None:
            if refusal.limit is not None:
                self._record.refused_at(refusal.limit)
            raise Refused(refusal)

    async def _forward(self, request: web.Request, body: bytes | None, ask: admit.Ask | None) -> web.StreamResponse:
        if self.closing:
            raise Refused(Refusal(503, "api_error", "The gateway of this session is being stopped.", retry=True))
        try:
            secret = self._credential.secret()
        except CredentialError as problem:
            self._record.failed(LastError(401, "authentication_error", str(problem)))
            raise Refused(Refusal(401, "authentication_error", str(problem))) from None
        call = self._guard.enter()
        provider = self._config.provider
        outgoing = Outgoing(
            method=request.method,
            url=URL(provider.base_url + request.raw_path, encoded=True),
            headers=to_provider(request.headers.items(), provider.auth, secret),
            body=body,
            ask=ask,
        )
        number = None if ask is None else self._record.opened(at_most(ask), ask.model)
        exchange = Exchange(outgoing, number, Agent(request), self._client, self._record, self._credential, call)
        pump = asyncio.create_task(exchange.pump())
        self.pumps.add(pump)
        pump.add_done_callback(self.pumps.discard)
        try:
            return await asyncio.shield(pump)
        except asyncio.CancelledError:
            exchange.agent_left(pump)
            raise


def _announced(request: web.Request) -> int:
    """Bytes that the body may need; all there may be when it does not say."""
    return MAX_BODY if request.content_length is None else request.content_length


async def body_of(request: web.Request, most: int) -> bytes:
    """The whole body, at most `most` bytes. Raises Refused."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(Refusal(415, "invalid_request_error", "Send the body without Content-Encoding: the gateway has to read its `model`."))
    if (request.content_length or 0) <= most:
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > most:
                break
        else:
            return bytes(body)
    raise Refused(Refusal(413, "request_too_large", f"The body has more than the {most >> 20} MiB that are allowed."))
