"""The two things the runner asks of the gateway beside it: whether it is there, and whether an output fits the schema.

Plain HTTP/1.1 on a loopback connection, written by hand, because the HTTP client of the standard library blocks and takes longer to
import than the whole conversation lasts.
"""

import asyncio
import json

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5
_ANSWER_SECONDS = 10.0


class Unreachable(Exception):
    """The gateway did not answer, or answered something else."""


class Gateway:
    """`url` is `http://host:port`, as the description guarantees."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)

    async def ready(self) -> None:
        """Return as soon as the gateway answers; there is no limit here, the caller has one."""
        pause = _FIRST_PAUSE
        while True:
            try:
                status, _ = await self._request("GET", "/api/hello")
                if status < 500:
                    return
            except Unreachable:
                pass
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def submit_output(self, output: object) -> str | None:
        """Hand in the structured output. None if it is valid, else what is wrong with it. Raises Unreachable."""
        status, body = await self._request("POST", "/stint/output", {"output": output})
        try:
            verdict = json.loads(body)
        except ValueError:
            verdict = None
        if status != 200 or not isinstance(verdict, dict):
            raise Unreachable(f"the gateway answered the structured output with status {status}")
        return None if verdict.get("valid") else str(verdict.get("error") or "it does not match the schema")

    async def _request(self, method: str, path: str, document: object = None) -> tuple[int, bytes]:
        body = b"" if document is None else json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nConnection: close\r\n"
        if document is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                try:
                    writer.write(f"{head}\r\n".encode() + body)
                    return _parse(await reader.read())
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise Unreachable(str(error) or "no answer in time") from None


def _parse(answer: bytes) -> tuple[int, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.decode("latin-1").split("\r\n")[0].split(" ")
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
        raise Unreachable("the gateway's answer is not HTTP")
    return int(words[1]), body
