"""The endpoints of the Messages API itself."""

from dataclasses import replace
from typing import Any

import orjson
from aiohttp import web

from mockapi.answer import answer
from mockapi.errors import BadScript, refusal
from mockapi.record import Call
from mockapi.script import due_step
from mockapi.state import BODY, CALL, MOCK, Mock
from mockapi.steps import Step
from mockapi.stream import Playback
from mockapi.usage import tokens_of_messages

ORGANIZATION = "00000000-0000-0000-0000-000000000000"
_CREATED = "2026-01-01T00:00:00Z"


async def messages(request: web.Request) -> web.StreamResponse:
    mock, call = request.app[MOCK], request[CALL]
    body = _body(request)
    step = _step(mock, call, body)
    playback = Playback(request, call, mock.gates, step)
    await playback.before_headers()
    reply = answer(step, body["model"], body["messages"])
    headers = {**usual_headers(call), **mock.ratelimits.headers(call.credential, step.ratelimit)}
    return await (playback.stream(reply, headers) if body.get("stream") else playback.document(reply, headers))


async def count_tokens(request: web.Request) -> web.StreamResponse:
    body = _body(request)
    return _json({"input_tokens": tokens_of_messages(body["messages"])}, request[CALL])


async def models(request: web.Request) -> web.StreamResponse:
    known = [_model(name) for name in request.app[MOCK].prices.prices]
    return _json({"data": known, "has_more": False, "first_id": known[0]["id"], "last_id": known[-1]["id"]}, request[CALL])


async def model(request: web.Request) -> web.StreamResponse:
    name = request.match_info["model"]
    if not any(name.startswith(known) for known in request.app[MOCK].prices.prices):
        raise refusal(404, f"model: {name}")
    return _json(_model(name), request[CALL])


async def hello(request: web.Request) -> web.StreamResponse:
    """What the CLI asks first, to warm up its connection. No credential is needed."""
    return _json({"message": "hello"}, request[CALL])


async def unknown(request: web.Request) -> web.StreamResponse:
    raise refusal(404, f"Not found: {request.method} {request.path}")


def usual_headers(call: Call) -> dict[str, str]:
    return {"request-id": call.request_id, "anthropic-organization-id": ORGANIZATION}


def read_body(raw: bytes) -> dict[str, Any] | None:
    """The body of any request, if it is a JSON object."""
    try:
        body = orjson.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _body(request: web.Request) -> dict[str, Any]:
    body: dict[str, Any] | None = request.get(BODY)
    if body is None:
        raise refusal(400, "The request body is not valid JSON: expected an object")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise refusal(400, "model: Field required")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise refusal(400, "messages: at least one message is required")
    return body


def _step(mock: Mock, call: Call, body: dict[str, Any]) -> Step:
    """The step of the script, with the troubles that are due now: a fault from outside, or else the step's own."""
    try:
        due = due_step(body)
    except BadScript as error:
        raise refusal(400, f"mockapi: {error}", {"x-should-retry": "false"}) from error
    call.script, call.step = due.script, due.index if due.script else None
    step = due.step
    fault = mock.faults.take(model=call.model, session=call.session, credential=call.credential.name, path=call.path)
    if fault:
        step = fault.apply(step)
    elif not mock.troubles.allows(step, (call.session, call.agent, due.script, str(due.index))):
        step = step.without_trouble()
    if step.fault:
        step = replace(step, fault=replace(step.fault, headers={**step.ratelimit, **step.fault.headers}))
    return step


def _model(name: str) -> dict[str, str]:
    words = name.removeprefix("claude-").split("-")
    title = " ".join(["Claude", words[0].capitalize(), ".".join(words[1:])]).strip()
    return {"type": "model", "id": name, "display_name": title, "created_at": _CREATED}


def _json(content: object, call: Call) -> web.Response:
    return web.Response(body=orjson.dumps(content), content_type="application/json", headers=usual_headers(call))
