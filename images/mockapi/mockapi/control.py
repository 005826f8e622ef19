"""The test's side, under `/_mock/`: read what was seen, set what shall happen."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from mockapi.errors import BadScript
from mockapi.faults import Faults, parse_faults
from mockapi.page import render
from mockapi.ratelimit import check_ratelimit
from mockapi.record import Call
from mockapi.state import MOCK

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIX = "/_mock"
_FILTERS = {"session", "agent", "path", "model", "status", "done", "aborted", "credential"}
_LONGEST_WAIT = 600.0


@web.middleware
async def explain_mistakes(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadScript as error:
        return _json({"error": str(error)}, status=400)


async def page(request: web.Request) -> web.Response:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return web.Response(text=render(request.app[MOCK]), content_type="text/html", headers={"content-security-policy": policy})


async def healthz(request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def get_requests(request: web.Request) -> web.Response:
    """`?atleast=N&timeout=S` waits until N of them match; the answer tells what is there, in time or not."""
    recorder, query = request.app[MOCK].recorder, dict(request.query)
    at_least, seconds = _whole(query.pop("atleast", "0")), _whole(query.pop("timeout", "30"))
    limit = _whole(query.pop("limit", "0"))
    if unknown := set(query) - _FILTERS:
        raise BadScript(f"unknown filter {', '.join(sorted(unknown))}; known are {', '.join(sorted(_FILTERS))}, atleast, timeout, limit")

    def matching() -> list[Call]:
        return list(recorder.calls(**query))

    if at_least:
        await recorder.changes.until(lambda: len(matching()) >= at_least, min(seconds, _LONGEST_WAIT))
    return _json([call.as_json() for call in matching()[-limit:]])


async def delete_requests(request: web.Request) -> web.Response:
    request.app[MOCK].recorder.clear()
    return _done()


async def get_sessions(request: web.Request) -> web.Response:
    mock = request.app[MOCK]
    wanted = request.query.get("session")
    sessions = {name: totals.as_json(mock.prices) for name, totals in mock.recorder.sessions.items() if wanted in (None, name)}
    return _json({"sessions": sessions, "total": mock.recorder.total.as_json(mock.prices)})


async def get_session(request: web.Request) -> web.Response:
    mock, name = request.app[MOCK], request.match_info["session"]
    if name not in mock.recorder.sessions:
        return _json({"error": f"no request of session {name} was seen"}, status=404)
    return _json(mock.recorder.sessions[name].as_json(mock.prices))


async def get_faults(request: web.Request) -> web.Response:
    return _json(request.app[MOCK].faults.as_json())


async def put_faults(request: web.Request) -> web.Response:
    request.app[MOCK].faults = Faults(parse_faults(await _read(request)))
    return _done()


async def delete_faults(request: web.Request) -> web.Response:
    request.app[MOCK].faults = Faults()
    return _done()


async def get_gates(request: web.Request) -> web.Response:
    return _json(request.app[MOCK].gates.as_json())


async def get_gate(request: web.Request) -> web.Response:
    """`?waiting=N&timeout=S` waits until N requests wait at the gate; 408 if they do not come in time."""
    gates, name = request.app[MOCK].gates, request.match_info["gate"]
    waiting, seconds = _whole(request.query.get("waiting", "0")), _whole(request.query.get("timeout", "30"))
    in_time = await gates.arrived(name, waiting, min(seconds, _LONGEST_WAIT))
    return _json(gates.as_json().get(name, {"open": False, "waiting": 0}), status=200 if in_time else 408)


async def put_gate(request: web.Request) -> web.Response:
    request.app[MOCK].gates.open(request.match_info["gate"])
    return _done()


async def delete_gate(request: web.Request) -> web.Response:
    request.app[MOCK].gates.close(request.match_info["gate"])
    return _done()


async def get_keys(request: web.Request) -> web.Response:
    return _json(request.app[MOCK].keys.as_json())


async def put_keys(request: web.Request) -> web.Response:
    keys = await _read(request)
    if not isinstance(keys, list) or not all(isinstance(key, str) and key for key in keys):
        raise BadScript('keys are a list of strings such as ["key-1"]; an empty list refuses everybody, DELETE accepts everybody')
    request.app[MOCK].keys.require(keys)
    return _done()


async def delete_keys(request: web.Request) -> web.Response:
    request.app[MOCK].keys.accept_any()
    return _done()


async def get_ratelimit(request: web.Request) -> web.Response:
    return _json(request.app[MOCK].ratelimits.as_json())


async def put_ratelimit(request: web.Request) -> web.Response:
    """`?credential=` with the fingerprint sets it for that credential only."""
    request.app[MOCK].ratelimits.set(check_ratelimit(await _read(request)), request.query.get("credential", ""))
    return _done()


async def delete_ratelimit(request: web.Request) -> web.Response:
    request.app[MOCK].ratelimits.clear()
    return _done()


async def get_prices(request: web.Request) -> web.Response:
    return _json(request.app[MOCK].prices.as_json())


async def reset(request: web.Request) -> web.Response:
    request.app[MOCK].reset()
    return _done()


ROUTES = (
    web.get("/", page),
    web.get("/healthz", healthz),
    web.get("/requests", get_requests),
    web.delete("/requests", delete_requests),
    web.get("/sessions", get_sessions),
    web.get("/sessions/{session}", get_session),
    web.get("/faults", get_faults),
    web.put("/faults", put_faults),
    web.delete("/faults", delete_faults),
    web.get("/gates", get_gates),
    web.get("/gates/{gate}", get_gate),
    web.put("/gates/{gate}", put_gate),
    web.delete("/gates/{gate}", delete_gate),
    web.get("/keys", get_keys),
    web.put("/keys", put_keys),
    web.delete("/keys", delete_keys),
    web.get("/ratelimit", get_ratelimit),
    web.put("/ratelimit", put_ratelimit),
    web.delete("/ratelimit", delete_ratelimit),
    web.get("/prices", get_prices),
    web.post("/reset", reset),
)


async def _read(request: web.Request) -> Any:
    try:
        return orjson.loads(await request.read())
    except ValueError as error:
        raise BadScript(f"the body is not JSON ({error})") from error


def _whole(text: str) -> int:
    if not text.isdigit():
        raise BadScript(f"{text!r} is not a whole number")
    return int(text)


def _json(content: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE), content_type="application/json", status=status)


def _done() -> web.Response:
    return _json({"ok": True})
