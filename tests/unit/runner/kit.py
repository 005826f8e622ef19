"""What the runner's tests share: a pod's folders under a temporary root, a gateway, a scripted CLI, and the runner as a real process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import stint_runner

CONVERSATION = "11111111-2222-5333-8444-555555555555"
SOURCE = "99999999-2222-5333-8444-555555555555"
DEADLINE = 30.0  # seconds, for anything that is waited for
STUB = Path(__file__).with_name("stub_cli.py")
PACKAGE = Path(stint_runner.__file__).parent.parent


def document(**changes: Any) -> dict[str, Any]:
    """A `run.json` that works, with changes; `agent` changes fields of the agent."""
    agent = {
        "model": "claude-x",
        "fallbackModels": [],
        "systemPrompt": None,
        "appendSystemPrompt": None,
        "tools": None,
        "allowedTools": [],
        "disallowedTools": [],
        "permissionMode": "bypassPermissions",
        "maxTurns": None,
        "effort": None,
        "outputSchema": None,
        "subagents": [],
        "mcpServers": [],
        "repository": {"instructions": True, "settings": False},
        **changes.pop("agent", {}),
    }
    return {
        "version": 1,
        "session": {"namespace": "team-a", "name": "fix-test", "uid": "u-1"},
        "attempt": 1,
        "reason": "Start",
        "conversation": CONVERSATION,
        "forkFrom": None,
        "prompt": "Fix the failing test",
        "promptFile": None,
        "auth": "APIKey",
        "gateway": "http://127.0.0.1:8787",
        "agent": agent,
        "files": [],
        "git": None,
        "continue": None,
        "timeoutSeconds": None,
        "graceSeconds": 10,
        **changes,
    }


def mcp_server(name: str = "docs", **changes: Any) -> dict[str, Any]:
    server: dict[str, Any] = {
        "name": name,
        "type": "stdio",
        "command": "docs-server",
        "args": [],
        "url": None,
        "required": False,
        "env": {},
        "headers": {},
    }
    return {**server, **changes}


def result(text: str = "done", **changes: Any) -> dict[str, Any]:
    """The event with which the CLI ends a turn."""
    return {"num_turns": 1, "type": "result", "subtype": "success", "is_error": False, "result": text, **changes}


INIT = {"type": "system", "subtype": "init"}
INTERRUPTED_RESULT = result(subtype="error_during_execution", is_error=True, terminal_reason="aborted_tools")
TRANSCRIPT = json.dumps({"type": "user", "message": {"role": "user", "content": "Fix the failing test"}}) + "\n"


def turn(*steps: dict[str, Any]) -> dict[str, Any]:
    """A script in which the user message is met by these steps."""
    return {"turn": list(steps)}


def answered(text: str = "done", **changes: Any) -> dict[str, Any]:
    """A script in which the user message is answered at once."""
    return turn({"emit": INIT}, {"emit": result(text, **changes)})


TURNS = 5
"""Of the event loop, until a connection that is just being accepted has its task."""


@dataclass
class FakeGateway:
    """The sidecar, as far as the runner sees it."""

    url: str = ""
    valid: bool = True
    outputs: list[Any] = field(default_factory=list)
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def stop(self, server: asyncio.Server) -> None:
        """Leave no connection open: what is left would be found, and blamed on another test, when garbage is collected."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        server.close()
        await asyncio.gather(*self.connections)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # whoever was there only looked whether somebody is at home
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")), 0)
        body = await reader.readexactly(length)
        document: dict[str, Any] = {}
        if head.startswith("POST /stint/output "):
            self.outputs.append(json.loads(body)["output"])
            document = {"valid": self.valid, "error": None if self.valid else "answer: 42 is not a string"}
        answer = json.dumps(document).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
        await writer.drain()


@dataclass(frozen=True)
class Ended:
    """How the runner ended: its exit code, its termination message, and its log, parsed where it is JSON."""

    code: int
    message: dict[str, Any]
    log: list[Any]
    raw_message: bytes
    errors: str

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.log if isinstance(line, dict) and line.get("type") == kind]


@dataclass
class Pod:
    """One agent pod in a temporary folder."""

    root: Path
    gateway: FakeGateway
    script: dict[str, Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("run/stint/run", "run/stint/inputs/files", "workspace", "var/lib/stint/claude", "tmp", "home/agent", "dev"):
            (self.root / name).mkdir(parents=True)
        (self.root / "dev/termination-log").touch()

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def config(self) -> Path:
        return self.root / "var/lib/stint/claude"

    @property
    def transcripts(self) -> Path:
        munged = "".join(char if char.isalnum() else "-" for char in str(self.workspace))
        return self.config / "projects" / munged

    def transcript(self, text: str, conversation: str = CONVERSATION) -> Path:
        self.transcripts.mkdir(parents=True, exist_ok=True)
        path = self.transcripts / f"{conversation}.jsonl"
        path.write_text(text)
        return path

    def describe(self, **changes: Any) -> None:
        (self.root / "run/stint/run/run.json").write_text(json.dumps(document(**{"gateway": self.gateway.url, **changes})))

    async def start(self, word: str = "run", *, prefix: tuple[str, ...] = (), stdout: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
        (self.root / "script.json").write_text(json.dumps(self.script))
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PACKAGE),
            "STINT_ROOT": str(self.root),
            "STINT_CLI": str(self._cli()),
            "STUB_SCRIPT": str(self.root / "script.json"),
            "STUB_RECORD": str(self.root / "record.jsonl"),
            **self.environ,
        }
        return await asyncio.create_subprocess_exec(
            *prefix,
            sys.executable,
            "-m",
            "stint_runner",
            word,
            env=environ,
            cwd="/",
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
            limit=64 << 20,
        )

    async def end(self, process: asyncio.subprocess.Process) -> Ended:
        async with asyncio.timeout(DEADLINE):
            out, err = await process.communicate()
        raw = (self.root / "dev/termination-log").read_bytes()
        assert process.returncode is not None
        return Ended(process.returncode, json.loads(raw or b"{}"), [_parsed(line) for line in (out or b"").splitlines()], raw, err.decode())

    async def run(self, word: str = "run", **changes: Any) -> Ended:
        self.describe(**changes)
        return await self.end(await self.start(word))

    async def stopped_when(self, path: Path, **changes: Any) -> Ended:
        """Run, and send SIGTERM as soon as `path` exists."""
        self.describe(**changes)
        process = await self.start()
        await until(path.exists)
        process.send_signal(signal.SIGTERM)
        return await self.end(process)

    def recorded(self) -> list[dict[str, Any]]:
        path = self.root / "record.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def received(self, kind: str) -> list[dict[str, Any]]:
        return [entry["received"] for entry in self.recorded() if entry.get("received", {}).get("type") == kind]

    def started(self) -> dict[str, Any]:
        return self.recorded()[0]

    def _cli(self) -> Path:
        path = self.root / "claude"
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{STUB}" "$@"\n')
        path.chmod(0o755)
        return path


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - nobody here could set an event
            await asyncio.sleep(0.005)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line.decode()
