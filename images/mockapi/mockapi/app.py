"""The application: every route in one place, and what happens around each request."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web

from mockapi import api, control
from mockapi.credential import credential_of
from mockapi.errors import ApiError, Cut, Reply, request_id
from mockapi.ratelimit import resolve
from mockapi.record import MESSAGES_PATH, NO_SESSION, Call
from mockapi.script import last_prompt
from mockapi.state import BODY, CALL, MOCK, Mock

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LARGEST_REQUEST = 32 << 20  # bytes, as the API's own limit
_SHUTDOWN_SECONDS = 0.2

log = logging.getLogger("mockapi")


def make_app(mock: Mock) -> web.Application:
    app = web.Application(middlewares=[observed])
    app[MOCK] = mock
    app.add_routes(
        [
            web.post("/v1/messages", api.messages),
            web.post("/v1/messages/count_tokens", api.count_tokens),
            web.get("/v1/models", api.models),
            web.get("/v1/models/{model}", api.model),
            web.get("/api/hello", api.hello),
            web.get("/", to_page),
            web.get(control.PREFIX, to_page),
        ]
    )
    app.add_subapp(control.PREFIX, control_app(mock))
    app.router.add_route("*", "/{path:.*}", api.unknown)
    return app


def control_app(mock: Mock) -> web.Application:
    app = web.Application(middlewares=[control.explain_mistakes], client_max_size=LARGEST_REQUEST)
    app[MOCK] = mock
    app.add_routes(control.ROUTES)
    return app


async def to_page(request: web.Request) -> web.StreamResponse:
    """A person who opens the server's address sees the page."""
    return web.Response(status=302, headers={"location": f"{control.PREFIX}/"})


@web.middleware
async def observed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Around every request to the API: who asks, what for, and how it ended."""
    if request.path.startswith(f"{control.PREFIX}/"):
        return await handler(request)
    recorder, call = request.app[MOCK].recorder, _call(request)
    request[CALL] = call
    recorder.begin(call)
    try:
        response = await _answered(request, handler, call)
        call.status = response.status
    except Cut:
        call.aborted = True
        if request.transport is not None:
            request.transport.close()
        return web.Response()  # never reaches anybody
    except BaseException:  # the client went away, or the server stops
        call.aborted = True
        raise
    finally:
        recorder.end(call)
        log.info("request", extra={"facts": call.facts()})
    return response


async def _answered(request: web.Request, handler: Handler, call: Call) -> web.StreamResponse:
    try:
        await _receive(request, call)
        if request.path.startswith("/v1/"):
            request.app[MOCK].keys.check(call.credential)
        if call.path != MESSAGES_PATH:
            await _outside_fault(request.app[MOCK], call)
        return await handler(request)
    except ApiError as error:
        reply = error.reply
    except web.HTTPException as error:
        reply = Reply(error.status)
    call.error = reply.error_type
    return reply.response({**api.usual_headers(call), **resolve(reply.headers, datetime.now(UTC))})


async def _receive(request: web.Request, call: Call) -> None:
    raw = bytearray()
    async for chunk in request.content.iter_any():
        raw += chunk
        if len(raw) > LARGEST_REQUEST:
            raise web.HTTPRequestEntityTooLarge(LARGEST_REQUEST, len(raw))
    body = api.read_body(bytes(raw))
    if body is not None:
        request[BODY] = body
        messages = body.get("messages")
        prompt = last_prompt(messages) if isinstance(messages, list) else ""
        request.app[MOCK].recorder.received(call, body, bytes(raw), prompt)


async def _outside_fault(mock: Mock, call: Call) -> None:
    """A fault for an endpoint that has no script."""
    fault = mock.faults.take(model=call.model, session=call.session, credential=call.credential.name, path=call.path)
    if fault is None:
        return
    if fault.hang:
        await asyncio.sleep(fault.hang)
    if fault.drop:
        raise Cut
    if fault.reply:
        raise ApiError(fault.reply)


def _call(request: web.Request) -> Call:
    headers = request.headers
    return Call(
        method=request.method,
        path=request.path,
        session=headers.get("x-claude-code-session-id", "")[:128] or NO_SESSION,
        agent=headers.get("x-claude-code-agent-id", "")[:128],
        credential=credential_of(headers),
        remote=request.remote or "",
        user_agent=headers.get("user-agent", "")[:256],
        beta=headers.get("anthropic-beta", "")[:512],
        request_id=request_id(),
    )


@asynccontextmanager
async def running(mock: Mock, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serves as long as the context lasts; gives the base URL. Port 0 takes a free one."""
    runner = web.AppRunner(make_app(mock), access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS, keepalive_timeout=120)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        bound = runner.addresses[0][1]
        yield f"http://{host}:{bound}"
    finally:
        await runner.cleanup()
