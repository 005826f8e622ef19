"""The running CLI: events come out, requests and the prompt go in.

Every event is passed on to the log as it came; the pod's log is the transcript. Two kinds are not: answers to our own control
requests (they repeat the MCP configuration with its secrets), and what is no JSON, which is wrapped so that the log stays readable
line by line.
"""

import asyncio
import json
import subprocess
from collections import deque
from collections.abc import Callable
from typing import IO, Any

from .children import Child
from .streams import Writer, open_reader, read_lines

_STDERR_LINES = 20
_STDERR_CHARACTERS = 500
_DRAIN_SECONDS = 1.0

Event = dict[str, object]


class Gone(Exception):
    """The CLI ended, or closed its streams, while something was asked of it."""


class Refused(Exception):
    """The CLI answered a control request with an error."""


class Cli:
    def __init__(self, process: "subprocess.Popen[bytes]", log: Writer, on_event: Callable[[Event], None]) -> None:
        self._process = process
        self._log = log
        self._on_event = on_event
        self._asked: dict[str, asyncio.Future[Event]] = {}
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._stdin: Writer
        self._reading: asyncio.Future[tuple[None, None]]
        self._silent = False
        self.child: Child

    async def attach(self) -> None:
        """Take over the pipes of a process that may have been writing already."""
        self.child = Child(self._process.pid)
        self.child.exit_code.add_done_callback(lambda code: setattr(self._process, "returncode", code.result()))
        self._stdin = await Writer.open(_pipe(self._process.stdin))
        readers = (self._read_events(_pipe(self._process.stdout)), self._read_stderr(_pipe(self._process.stderr)))
        self._reading = asyncio.gather(*readers)

    @property
    def stderr(self) -> str:
        """The end of what the CLI said on stderr."""
        return "\n".join(self._stderr)[-_STDERR_CHARACTERS:].strip()

    async def ask(self, subtype: str, **fields: object) -> Event:
        """Send a control request and wait for the answer, which is the field `response` of a success. Raises Gone or Refused."""
        identifier = f"stint-{len(self._asked)}"
        answer = self._asked[identifier] = asyncio.get_running_loop().create_future()
        await self._send({"type": "control_request", "request_id": identifier, "request": {"subtype": subtype, **fields}})
        if self._stdin.lost or self._silent:
            raise Gone
        response = await answer
        if response.get("subtype") != "success":
            raise Refused(str(response.get("error", "refused")))
        body = response.get("response")
        return body if isinstance(body, dict) else {}

    async def say(self, text: str, identifier: str) -> None:
        """Send a user message. `identifier`, a UUID, makes the result tell when the first request was sent."""
        message = {"role": "user", "content": text}
        await self._send({"type": "user", "message": message, "parent_tool_use_id": None, "session_id": "default", "uuid": identifier})

    async def interrupt(self) -> None:
        """Ask for the end of the turn without waiting for the answer: the result is the answer."""
        await self._send({"type": "control_request", "request_id": "stint-interrupt", "request": {"subtype": "interrupt"}})

    def close_stdin(self) -> None:
        self._stdin.close()

    async def gone(self) -> None:
        """Wait until nothing more can come: the output has ended, or the process has and only an orphan still holds its pipes."""
        ends: set[asyncio.Future[Any]] = {self.child.exit_code, self._reading}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await self.drain(_DRAIN_SECONDS)

    async def drain(self, seconds: float) -> None:
        """Read what is left in the pipes, for a limited time."""
        await asyncio.wait({self._reading}, timeout=seconds)

    async def _send(self, document: Event) -> None:
        await self._stdin.write(json.dumps(document).encode() + b"\n")

    async def _read_events(self, pipe: IO[bytes]) -> None:
        try:
            async for line in read_lines(await open_reader(pipe)):
                await self._take(line)
        finally:
            self._silent = True
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(Gone())
                    answer.exception()  # nobody may be waiting any more

    async def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            await self._wrap("stint_stdout", line)
        elif event.get("type") == "control_response":
            self._answered(event.get("response"))
        elif event.get("type") == "control_request":
            await self._decline(event)
        else:
            await self._log.write(line + b"\n")
            self._on_event(event)

    def _answered(self, response: object) -> None:
        if not isinstance(response, dict):
            return
        answer = self._asked.get(str(response.get("request_id")))
        if answer is not None and not answer.done():
            answer.set_result(response)

    async def _decline(self, request: Event) -> None:
        """Nobody is there to answer the CLI's own questions; silence would make it wait for ever."""
        answer = {"subtype": "error", "request_id": request.get("request_id"), "error": "nobody answers questions in this session"}
        await self._send({"type": "control_response", "response": answer})

    async def _read_stderr(self, pipe: IO[bytes]) -> None:
        async for line in read_lines(await open_reader(pipe)):
            if line.strip():
                self._stderr.append(line.decode("utf-8", "replace"))
                await self._wrap("stint_stderr", line)

    async def _wrap(self, kind: str, line: bytes) -> None:
        await self._log.write(json.dumps({"type": kind, "text": line.decode("utf-8", "replace")}).encode() + b"\n")


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
