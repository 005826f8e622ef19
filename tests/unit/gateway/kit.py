"""What the gateway's tests share: a provider whose every answer is scripted, a gateway in front of it, and the API's events."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from stint.gateway.app import Gateway
from stint.gateway.config import GatewayConfig, Settings, parse
from stint.gateway.credential import Credential

KEY = "sk-test-0123456789abcdef"
MODEL = "claude-x"
PRICES = {"input": "5", "output": "25", "cacheRead": "0.5", "cacheWrite5m": "6.25", "cacheWrite1h": "10"}
DEADLINE = 10.0  # seconds


def document(**changes: Any) -> dict[str, Any]:
    """A `gateway.json` that works, with changes."""
    return {
        "version": 1,
        "session": {"namespace": "team-a", "name": "fix-test", "uid": "u-1"},
        "attempt": 1,
        "provider": {"name": "default", "baseURL": "http://127.0.0.1:1", "auth": "APIKey"},
        "prices": {MODEL: PRICES},
        "unknownModels": "CountAsDearest",
        "limits": {"cost": None, "tokens": None},
        "outputSchema": None,
        **changes,
    }


def config(**changes: Any) -> GatewayConfig:
    return parse(json.dumps(document(**changes)).encode())


def body(**changes: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 1000, "stream": True, "messages": [{"role": "user", "content": "hi"}], **changes}


def usage(input_tokens: int = 100, output_tokens: int = 1, **more: Any) -> dict[str, Any]:
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, "service_tier": "standard", **more}


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, ensure_ascii=False)}\n\n".encode()


def message_start(model: str = MODEL, **counts: Any) -> bytes:
    return event("message_start", message={"id": "msg_1", "role": "assistant", "model": model, "content": [], "usage": usage(**counts)})


def text_delta(text: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def message_delta(output_tokens: int, **counts: Any) -> bytes:
    return event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": output_tokens, **counts})


STOP = event("message_stop")


def stream(text: str = "Hello", output_tokens: int = 40, **counts: Any) -> list[bytes]:
    """The events of a whole answer."""
    return [message_start(**counts), event("ping"), text_delta(text), message_delta(output_tokens), STOP]


def message(model: str = MODEL, **counts: Any) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "model": model, "content": [], "stop_reason": "end_turn", "usage": usage(**counts)}


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Upstream:
    """The provider. `answer` plays one request; `received` are those for the API (the warm-up is not one of them)."""

    answer: Answer
    received: list[Received] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)  # a connection was closed while it was being answered
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.raw_path.endswith("/api/hello"):
            hello = web.StreamResponse()
            await hello.prepare(request)
            for _ in range(3):
                await hello.write(b"hello")
                await asyncio.sleep(0)
            return hello
        content = await request.read()
        self.received.append(Received(request.method, request.raw_path, {k.lower(): v for k, v in request.headers.items()}, content))
        try:
            return await self.answer(request)
        except (asyncio.CancelledError, ConnectionError):
            self.gone.set()
            raise


def events(*parts: bytes, headers: dict[str, str] | None = None, hold: asyncio.Event | None = None, drop: bool = False) -> Answer:
    """Stream `parts`, one write each; then wait for `hold`, if any; then end, or `drop` the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", "request-id": "req_1", **(headers or {})})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        if hold is not None:
            await hold.wait()
        if drop and request.transport is not None:
            request.transport.close()
        return response

    return answer


def reply(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=json.dumps(content).encode(), headers={"Content-Type": "application/json", **(headers or {})})

    return answer


def error(status: int, kind: str, text: str, headers: dict[str, str] | None = None) -> Answer:
    return reply({"type": "error", "error": {"type": kind, "message": text}}, status, headers)


def in_turn(*answers: Answer) -> Answer:
    """Each request gets the next answer; the last one is repeated."""
    left = list(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(request)

    return answer


@dataclass
class Running:
    """A gateway with its files, and a client in the agent's place."""

    gateway: Gateway
    settings: Settings
    client: aiohttp.ClientSession
    stopped: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.agent_port}"

    async def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            await self.gateway.stop()

    async def ask(self, headers: dict[str, str] | None = None, **changes: Any) -> tuple[int, bytes]:
        content = io.BytesIO(json.dumps(body(**changes)).encode())
        async with self.client.post(f"{self.url}/v1/messages?beta=true", data=content, headers=headers) as response:
            return response.status, await response.read()

    async def outside(self, path: str) -> tuple[int, bytes]:
        async with self.client.get(f"http://127.0.0.1:{self.gateway.report_port}{path}") as response:
            return response.status, await response.read()

    async def report(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((await self.outside("/report"))[1])
        return document

    def termination_message(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.settings.termination_log.read_bytes())
        return document

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.settings.meter_dir / "journal.jsonl").read_text().splitlines()]


def settings_in(folder: Path, **changes: Any) -> Settings:
    """A pod's files in `folder`, with the key in place; ports are the kernel's choice."""
    (folder / "meter").mkdir(exist_ok=True)
    (folder / "credential").write_text(KEY + "\n")
    usual = Settings(
        credential_file=folder / "credential",
        meter_dir=folder / "meter",
        termination_log=folder / "termination-log",
        pod_uid="pod-1",
        agent_port=0,
        report_port=0,
        report_host="127.0.0.1",
        drain=DEADLINE,
    )
    return replace(usual, **changes)


async def start(settings: Settings, what: GatewayConfig, client: aiohttp.ClientSession) -> Running:
    gateway = Gateway(settings, what, Credential(settings.credential_file))
    await gateway.start()
    return Running(gateway, settings, client)


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait for a condition; the deadline is the test's failure."""
    async with asyncio.timeout(DEADLINE):
        while True:
            met = condition()
            if met if isinstance(met, bool) else await met:
                return
            await asyncio.sleep(0.005)


def spoken(content: bytes) -> tuple[str, str]:
    """Type and message of an error in the API's shape."""
    document = json.loads(content)
    assert document["type"] == "error"
    return document["error"]["type"], document["error"]["message"]
