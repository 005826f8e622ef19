"""One request to the provider: its answer is passed on byte by byte, as it comes, and metered from a copy.

The provider's side runs in a task of its own, the pump, because it may outlive the agent's side: an agent that leaves
before the model has begun to answer would otherwise have spent its input without anybody having read how much it was.

    agent leaves ──▶ nothing read yet?      the pump reads on until `message_start`, then hangs up
                 ──▶ answer in one piece?   the pump reads on to the end
                 ──▶ stream has begun?      the pump hangs up at once; the output so far is estimated
"""

from __future__ import annotations

import asyncio
import io
import logging
from dataclasses import dataclass, replace

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from stint.gateway.admit import Ask
from stint.gateway.advice import advised
from stint.gateway.credential import Credential
from stint.gateway.errors import CONNECTION_FAILED, GOOD, PROVIDER_UNREACHABLE, LastError, Refusal, kind_of, said
from stint.gateway.guard import Call
from stint.gateway.headers import error_to_agent, to_agent
from stint.gateway.meter import BodyMeter, Decoder, Ending, Meter, StreamMeter, unanswered
from stint.gateway.record import Record
from stint.gateway.usage import known_as
from stint.gateway.windows import windows

log = logging.getLogger(__name__)

NOT_ON_RECORD = "The usage of this request cannot be put on record. Free space on the session's volume"
MAX_SMALL_BODY = 256 << 10  # bytes
LARGE_BODY = 1 << 20  # bytes; a larger one is handed over in pieces, so that other streams go on meanwhile


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is sent to the provider; `ask` is None for a request that costs nothing."""

    method: str
    url: URL
    headers: CIMultiDict[str]
    body: bytes | None
    ask: Ask | None


class Agent:
    """The agent's side of an exchange. Once it has left, what is written goes nowhere."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.left = False

    async def begin(self, response: web.StreamResponse) -> None:
        if not self.left:
            try:
                await response.prepare(self._request)
            except ConnectionError:
                self.left = True

    async def write(self, response: web.StreamResponse, chunk: bytes) -> None:
        if not self.left:
            try:
                await response.write(chunk)
            except ConnectionError:
                self.left = True

    def cut(self) -> None:
        """End without a clean end: the agent must not take half an answer for a whole one."""
        if self._request.transport is not None:
            self._request.transport.abort()


class Exchange:
    """Create one per request, start `pump` as a task, and call `agent_left` when the agent has gone."""

    def __init__(
        self,
        outgoing: Outgoing,
        number: int | None,
        agent: Agent,
        client: aiohttp.ClientSession,
        record: Record,
        credential: Credential,
        call: Call,
    ) -> None:
        self._outgoing = outgoing
        self._call = call
        self._heard: str | None = None  # what the answer says about the provider
        self._agent = agent
        self._client = client
        self._record = record
        self._credential = credential
        self._meter: Meter | None = None
        self._number = number  # of the request in the record, while it is under way
        self._log: dict[str, object] = {"model": known_as(outgoing.ask.model) if outgoing.ask else None, "status": None}

    def agent_left(self, pump: asyncio.Task[web.StreamResponse]) -> None:
        self._agent.left = True
        self._log["problem"] = "The agent hung up."
        if self._has_learnt_enough():
            pump.cancel()

    def _has_learnt_enough(self) -> bool:
        """Nothing that changes the bill is to be learnt from the provider any more."""
        return self._outgoing.ask is None or (isinstance(self._meter, StreamMeter) and self._meter.started)

    async def pump(self) -> web.StreamResponse:
        try:
            if self._outgoing.ask is not None and not await self._on_record():
                await self._settle(Ending.HUNG_UP)
                refusal = Refusal(503, "api_error", f"{NOT_ON_RECORD} ({self._record.broken}).", retry=True)
                self._log |= {"error": refusal.kind, "problem": refusal.message}
                return refusal.response()
            return await self._talk()
        finally:
            # Not settled yet means cancelled: the agent left, or the gateway is being stopped.
            self._call.ended(self._heard)
            await self._settle(Ending.GIVEN_UP)
            log.info("request", extra=self._log)

    async def _on_record(self) -> bool:
        """Nothing is sent before it stands in the journal: a gateway killed after the answer would have forgotten it."""
        await self._record.save()
        return self._record.broken is None

    async def _talk(self) -> web.StreamResponse:
        out = self._outgoing
        body = io.BytesIO(out.body) if out.body is not None and len(out.body) > LARGE_BODY else out.body
        try:
            async with self._client.request(out.method, out.url, headers=out.headers, data=body, allow_redirects=False) as upstream:
                if out.ask is not None:
                    self._record.told(windows(upstream.headers, upstream.status, self._record.now()))
                self._log |= {"status": upstream.status, "request": known_as(upstream.headers.get("request-id", ""))}
                encoding = upstream.headers.get("Content-Encoding", "").strip().lower()
                if encoding not in Decoder.ENCODINGS:
                    return await self._unreadable(upstream, encoding)
                if upstream.status >= 300:
                    return await self._refused(upstream, encoding)
                return await self._pass_on(upstream, encoding)
        except (aiohttp.ClientError, OSError) as problem:
            # It may be at work on a request that it has received and is silent about.
            silent = isinstance(problem, aiohttp.SocketTimeoutError)
            message = f"The provider at {out.url.origin()} cannot be reached: {explain(problem)}."
            self._failed(LastError(None, CONNECTION_FAILED, message))
            await self._settle(Ending.GIVEN_UP if silent else Ending.HUNG_UP)
            return Refusal(502, PROVIDER_UNREACHABLE, message, retry=True).response()

    async def _pass_on(self, upstream: aiohttp.ClientResponse, encoding: str) -> web.StreamResponse:
        response = web.StreamResponse(status=upstream.status, reason=upstream.reason, headers=to_agent(upstream.headers.items()))
        if self._outgoing.ask is not None:
            kind = StreamMeter if upstream.content_type == "text/event-stream" else BodyMeter
            self._meter = kind(self._outgoing.ask, encoding)
        await self._agent.begin(response)
        ending = Ending.COMPLETE
        try:
            async for chunk in upstream.content.iter_any():
                await self._agent.write(response, chunk)
                self._read_along(chunk)
                if self._agent.left and self._has_learnt_enough():
                    ending = Ending.GIVEN_UP
                    break
        except (aiohttp.ClientError, OSError) as problem:
            ending = Ending.GIVEN_UP if isinstance(problem, TimeoutError) else Ending.HUNG_UP
            self._failed(LastError(None, CONNECTION_FAILED, f"The provider's answer broke off: {explain(problem)}."))
        else:
            self._heard = self._heard or GOOD
        # On record before the agent sees the end.
        await self._settle(ending)
        if ending is not Ending.COMPLETE:
            upstream.close()
            self._agent.cut()
        return response

    def _read_along(self, chunk: bytes) -> None:
        if self._meter is not None:
            self._meter.feed(chunk)
            if self._meter.started:
                self._record.answered()

    async def _refused(self, upstream: aiohttp.ClientResponse, encoding: str) -> web.Response:
        """An error of the provider: decoded, so that the credential can be taken out should it be echoed."""
        if upstream.status < 400:
            where = "Set baseURL of the ModelProvider to the address it leads to."
            return await self._own_error(Refusal(502, "api_error", f"The provider answered with a redirect ({upstream.status}). {where}"))
        body = Decoder(encoding)(await beginning(upstream))
        self._failed(said(upstream.status, body, advised(upstream.headers, self._record.now())))
        await self._settle(Ending.HUNG_UP)
        headers = error_to_agent(upstream.headers, upstream.status)
        return web.Response(
            status=upstream.status,
            headers=CIMultiDict((name, self._credential.redact(value)) for name, value in headers.items()),
            body=self._credential.redact(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"),
        )

    async def _unreadable(self, upstream: aiohttp.ClientResponse, encoding: str) -> web.Response:
        upstream.close()
        if upstream.status < 300:
            await self._settle(Ending.GIVEN_UP)
        message = f"The provider encoded its answer ({upstream.status}) as {known_as(encoding)}, though asked not to: it cannot be metered."
        return await self._own_error(Refusal(502, "api_error", message))

    async def _own_error(self, refusal: Refusal) -> web.Response:
        self._failed(LastError(refusal.status, refusal.kind, refusal.message))
        self._log["problem"] = refusal.message
        await self._settle(Ending.HUNG_UP)
        return refusal.response()

    def _failed(self, error: LastError) -> None:
        """Keep it for the report, unless it is about a request that is not for the model.

        The log gets the type of what the provider said, and the gateway's own words: the provider's may quote the prompt.
        """
        self._heard = kind_of(error)
        self._log["error"] = known_as(error.kind)
        if error.status is None:
            self._log["problem"] = error.message
        if self._outgoing.ask is not None:
            self._record.failed(replace(error, kind=self._credential.redact(error.kind), message=self._credential.redact(error.message)))

    async def _settle(self, ending: Ending) -> None:
        """Charge what was used, once, and put it on record."""
        ask, meter = self._outgoing.ask, self._meter
        if ask is not None and self._number is not None:
            number, self._number = self._number, None
            if meter is not None:
                metered = meter.settle(ending)
                if meter.started and ending is Ending.COMPLETE:
                    self._record.answered()
                if meter.error is not None:
                    self._failed(meter.error)
            else:
                metered = unanswered(ask) if ending is Ending.GIVEN_UP else None
            self._record.settled(number, metered, ask.model)
            if metered is not None:
                tokens = metered.parts[0].tokens
                self._log |= {"input_tokens": tokens.input, "output_tokens": tokens.output, "estimated": metered.estimated}
        await self._record.save()


async def beginning(upstream: aiohttp.ClientResponse) -> bytes:
    """The body of an answer that should be small, as much of it as came and is of use."""
    body = bytearray()
    try:
        async for chunk in upstream.content.iter_any():
            body += chunk
            if len(body) > MAX_SMALL_BODY:
                upstream.close()
                break
    except (aiohttp.ClientError, OSError):
        pass
    return bytes(body[:MAX_SMALL_BODY])


def explain(problem: Exception) -> str:
    return str(problem).rstrip(".") or type(problem).__name__
