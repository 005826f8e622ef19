"""Playing a step to the client: as a stream or as one document, with the waits and the breaks that the step asks for.

         hang   at: headers             at: start              at: middle
request ──┴──────────┴──── message_start ───┴─── half the answer ───┴─── other half ── message_delta, message_stop
                     fault / drop      stall, sse_error, drop   stall, sse_error, drop
"""

import asyncio

import orjson
from aiohttp import web

from mockapi.answer import Answer, Frame, event
from mockapi.errors import ApiError, Cut, Reply, status_of
from mockapi.gates import Gates, Ping
from mockapi.record import Call
from mockapi.steps import Place, Step
from mockapi.usage import Usage


class Playback:
    """One step on its way to one client. `call.usage` is at every moment what was really sent."""

    def __init__(self, request: web.Request, call: Call, gates: Gates, step: Step) -> None:
        self._request = request
        self._call = call
        self._gates = gates
        self._step = step
        self._response: web.StreamResponse | None = None

    async def before_headers(self) -> None:
        if self._step.hang:
            await asyncio.sleep(self._step.hang)
        await self._trouble(Place.HEADERS)

    async def stream(self, answer: Answer, headers: dict[str, str]) -> web.StreamResponse:
        response = web.StreamResponse(headers={**headers, "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"})
        self._response = response
        await response.prepare(self._request)
        self._call.status = response.status
        await self._send(event("message_start", message=answer.opening()))
        self._call.usage = answer.usage.with_output(1)
        if await self._trouble(Place.START) and await self._body(answer):
            for frame in answer.ending():
                await self._send(frame)
                self._call.usage = answer.usage
        await response.write_eof()
        return response

    async def document(self, answer: Answer, headers: dict[str, str]) -> web.StreamResponse:
        """The same without a stream: the waits are the same, a break cuts the document in two."""
        raw = orjson.dumps(answer.message())
        if self._step.at != Place.HEADERS:
            await self._wait(None)
        if (error := self._step.sse_error) is not None:
            raise ApiError(Reply(status_of(error["type"]), error["type"], error["message"]))
        response = web.StreamResponse(headers={**headers, "content-type": "application/json", "content-length": str(len(raw))})
        await response.prepare(self._request)
        self._call.status = response.status
        if self._step.drop:
            await response.write(raw[: len(raw) // 2])
            raise Cut
        await response.write(raw)
        self._call.usage = answer.usage
        await response.write_eof()
        return response

    async def _body(self, answer: Answer) -> bool:
        """False if the stream ended with an error event on the way."""
        frames = list(answer.frames(self._step.chunks))
        total, sent = answer.characters, 0
        pause = self._step.slow / max(1, sum(frame.characters > 0 for frame in frames))
        passed_middle = False
        for frame in frames:
            if frame.characters and sent and sent * 2 >= total and not passed_middle:
                passed_middle = True
                if not await self._trouble(Place.MIDDLE):
                    return False
            await self._send(frame)
            sent += frame.characters
            self._call.usage = _partial(answer.usage, sent, total)
            if frame.characters and pause:
                await asyncio.sleep(pause)
        return passed_middle or await self._trouble(Place.MIDDLE)

    async def _trouble(self, place: Place) -> bool:
        """False if nothing more is to be sent."""
        step = self._step
        if step.at != place:
            return True
        await self._wait(self._ping if self._response else None)
        if step.fault:
            raise ApiError(step.fault)
        if step.drop:
            raise Cut
        if step.sse_error:
            self._call.error = step.sse_error["type"]
            await self._send(event("error", error=step.sse_error))
            return False
        return True

    async def _wait(self, ping: Ping | None) -> None:
        if self._step.gate:
            await self._gates.wait(self._step.gate, ping)
        if self._step.stall:
            await asyncio.sleep(self._step.stall)

    async def _ping(self) -> None:
        await self._send(event("ping"))

    async def _send(self, frame: Frame) -> None:
        if self._response is not None:
            await self._response.write(frame.data)


def _partial(usage: Usage, sent: int, total: int) -> Usage:
    return usage.with_output(max(1, usage.output * sent // max(1, total)))
