"""The gateway's process: two servers, and a clean end.

    127.0.0.1:8787   for the agent alone: the model API, and `POST /stint/output`
    0.0.0.0:8788     for the kubelet and the controller: `/report`, `/ready`, `/healthz`

At SIGTERM no new request is taken; answers under way get a few seconds, then they are cut and estimated; the last report is
written and the process ends with 0.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
from typing import Any

import orjson
from aiohttp import web

from stint.gateway.account import VERSION
from stint.gateway.config import GatewayConfig, Settings, load, termination_log_in
from stint.gateway.credential import Credential
from stint.gateway.document import ConfigError
from stint.gateway.errors import Refusal, Refused
from stint.gateway.journal import Journal
from stint.gateway.logs import set_up
from stint.gateway.output import OutputCheck, bounded, submitted
from stint.gateway.proxy import Proxy, body_of, provider_client
from stint.gateway.record import Record
from stint.gateway.report import write_in_place

log = logging.getLogger(__name__)

AGENT_HOST = "127.0.0.1"
MAX_OUTPUT = 4 << 20  # bytes
MOST_CONNECTIONS = 128  # on each port
HANG_UP = 0.5  # seconds that connections get to close, once their answers have ended


class CannotListen(Exception):
    """A port is taken. The agent shares the network and may have taken it, so what was used so far must not be forgotten over it."""

    def __init__(self, problem: OSError, report: bytes) -> None:
        super().__init__(str(problem))
        self.report = report


class Gateway:
    """Both servers of one pod. Raises OSError, or ConfigError, if the journal cannot be opened."""

    def __init__(self, settings: Settings, config: GatewayConfig, credential: Credential) -> None:
        self._settings = settings
        self.agent_port = self.report_port = 0  # known once started
        self._record = Record(config, Journal(settings.meter_dir, settings.pod_uid, config.unsettled), settings.termination_log)
        self._check = OutputCheck(config.output_schema)
        self._client = provider_client(settings.read_timeout)
        self._proxy = Proxy(config, credential, self._record, self._client)
        self._servers: list[asyncio.Server] = []
        self._warming: asyncio.Task[None] | None = None
        self._agent = _runner([web.route("POST", "/stint/output", self._submit), web.route("*", "/{path:.*}", self._proxy.handle)])
        self._outside = _runner([web.get("/report", self._report), web.get("/ready", self._ready), web.get("/healthz", _healthz)])

    async def start(self) -> None:
        """Raises CannotListen if a port is taken."""
        await self._record.save()
        try:
            self._servers.append(await _listen(self._outside, self._settings.report_host, self._settings.report_port))
            self._servers.append(await _listen(self._agent, AGENT_HOST, self._settings.agent_port))
            self.report_port, self.agent_port = map(_port, self._servers)
        except OSError as problem:
            raise CannotListen(problem, self._record.report()) from problem
        self._warming = asyncio.create_task(self._proxy.warm())
        log.info("ready to serve", extra={"agent_port": self.agent_port, "report_port": self.report_port})

    async def stop(self) -> None:
        self._proxy.closing = True
        if self._warming is not None:
            self._warming.cancel()
        for server in self._servers:
            server.close()
        if self._proxy.pumps:
            _, late = await asyncio.wait(self._proxy.pumps, timeout=self._settings.drain)
            for pump in late:
                pump.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._record.save()
        await self._agent.cleanup()
        await self._outside.cleanup()
        await self._client.close()
        self._record.close()

    async def _submit(self, request: web.Request) -> web.Response:
        try:
            output = submitted(await body_of(request, MAX_OUTPUT))
        except Refused as problem:
            return problem.refusal.response()
        except ValueError as problem:
            return Refusal(400, "invalid_request_error", str(problem)).response()
        verdict = await self._check(output)
        self._record.submitted(verdict)
        await self._record.save()
        return web.json_response({"valid": verdict.valid, "error": verdict.error})

    async def _report(self, _: web.Request) -> web.Response:
        return web.Response(body=self._record.report(), content_type="application/json")

    async def _ready(self, _: web.Request) -> web.Response:
        if self._record.ready:
            return web.Response(text="the model has answered\n")
        return web.Response(status=503, text="the model has not answered yet\n")


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _runner(routes: list[web.RouteDef]) -> web.AppRunner:
    app = web.Application()
    app.add_routes(routes)
    return web.AppRunner(app, access_log=None, handler_cancellation=True, auto_decompress=False, shutdown_timeout=HANG_UP)


class HangUp(asyncio.Protocol):
    """For a connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


async def _listen(runner: web.AppRunner, host: str, port: int) -> asyncio.Server:
    """Serve there, to so many connections at most: an agent that opens thousands must not use up descriptors and memory."""
    await runner.setup()
    server = runner.server
    assert server is not None
    return await asyncio.get_running_loop().create_server(
        lambda: server() if len(server.connections) < MOST_CONNECTIONS else HangUp(), host, port, reuse_address=True
    )


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def serve(settings: Settings, config: GatewayConfig, credential: Credential) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gateway = Gateway(settings, config, credential)
    try:
        await gateway.start()
        await stop.wait()
        log.info("stopping")
    finally:
        await gateway.stop()


def _failure(problem: Exception) -> dict[str, Any]:
    """Why it cannot start, beside the report as far as there is one: without usage nobody may take it for an attempt that cost nothing."""
    document: dict[str, Any] = {"version": VERSION}
    if isinstance(problem, CannotListen):
        document = orjson.loads(problem.report) | {"previous": [], "lastError": None}
    return document | {"error": {"class": "InputInvalid", "message": bounded(f"The gateway cannot start: {problem}", 128)}}


def main() -> int:
    """`stint gateway`: 0 after a clean end, 1 if it cannot start, with the reason in the termination message."""
    termination_log = termination_log_in(os.environ)
    try:
        settings = Settings.from_environment()
        if not settings.pod_uid:
            raise ConfigError("the variable POD_UID is not set; it names this pod in the usage journal")
        config = load(settings.config_file)
        credential = Credential(settings.credential_file)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        set_up(config.session, config.attempt, credential.redact)
        asyncio.run(serve(settings, config, credential))
    except (ConfigError, OSError, CannotListen) as problem:
        error = _failure(problem)
        sys.stderr.buffer.write(orjson.dumps(error) + b"\n")
        try:
            write_in_place(termination_log, orjson.dumps(error))
        except OSError as second:
            print(f"the termination message cannot be written: {second}", file=sys.stderr)
        return 1
    return 0
