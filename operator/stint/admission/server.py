"""The HTTPS server that Kopf's admission handlers answer through.

Kopf's own opens its port anew when the certificate changes, and refuses whoever asks meanwhile. Here the certificate is exchanged in place
(`context`): connections that are open go on, new ones get the new one.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import kopf
import orjson
from aiohttp import web

log = logging.getLogger(__name__)

LARGEST = 8 * 1024 * 1024
"""Bytes of a request: two objects, each of which etcd limits to 1.5 MB."""
Observer = Callable[[str, Mapping[str, Any] | None, float], None]
"""Told of each answer: handler, the response (None: the request could not be understood), seconds."""


class AdmissionServer:
    """Serves until it is cancelled; Kopf calls it with the function that asks the handlers. `listening` is set when its port is open."""

    def __init__(self, context: ssl.SSLContext, port: int, listening: asyncio.Event, observe: Observer) -> None:
        self._context = context
        self._port = port
        self._listening = listening
        self._observe = observe

    async def __call__(self, ask: Any) -> AsyncIterator[kopf.WebhookClientConfig]:
        async def answer(request: web.Request) -> web.Response:
            return await self._answer(ask, request)

        app = web.Application(client_max_size=LARGEST)
        app.add_routes([web.post("/{handler}", answer)])
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, "0.0.0.0", self._port, ssl_context=self._context).start()  # noqa: S104 - the API server comes from the node
            self._listening.set()
            yield kopf.WebhookClientConfig()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _answer(self, ask: Any, request: web.Request) -> web.Response:
        handler, began = request.match_info["handler"], time.monotonic()
        told = None
        try:
            review = orjson.loads(await request.read())
            _forget_uid(review)
            response = await ask(review, webhook=handler)
            told = response["response"]
            return web.json_response(body=orjson.dumps(response))
        except (ValueError, TypeError, KeyError, AttributeError) as problem:
            log.warning("a request to %s is no AdmissionReview: %s", handler, type(problem).__name__)
            raise web.HTTPBadRequest from problem
        finally:
            self._observe(handler, told, time.monotonic() - began)


def _forget_uid(review: dict[str, Any]) -> None:
    """Kopf remembers every object that is changed under its uid, until a watch tells of its end. There is none here: all are one to it."""
    for which in ("object", "oldObject"):
        item = review["request"].get(which)
        if item:
            item["metadata"].pop("uid", None)
