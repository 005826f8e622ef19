"""A client of the mock API for its own tests: asks like the CLI does, and reads the stream."""

import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from mockapi.state import Mock

MODEL = "claude-opus-5-5"


def script(*steps: dict[str, Any], before: str = "do it ") -> str:
    return f"{before}MOCK:{json.dumps(list(steps))} and what follows is ignored]"


def user(*texts: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def tool_use(name: str, ident: str = "toolu_1") -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": ident, "name": name, "input": {}}]}


def tool_result(text: str, ident: str = "toolu_1") -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": ident, "content": [{"type": "text", "text": text}]}]}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any = None
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def text(self) -> str:
        deltas = [event["delta"] for event in self.events if event["type"] == "content_block_delta"]
        return "".join(delta.get("text", "") for delta in deltas)

    @property
    def usage(self) -> dict[str, Any]:
        usage: dict[str, Any] = {}
        for event in self.events:
            usage |= event.get("message", event).get("usage", {})
        return usage


@dataclass
class Api:
    url: str
    http: aiohttp.ClientSession
    mock: Mock

    async def ask(
        self,
        *messages: str | dict[str, Any],
        session: str = "s1",
        agent: str = "",
        key: str = "key-1",
        token: str = "",
        stream: bool = True,
        path: str = "/v1/messages",
        **body: Any,
    ) -> Answer:
        headers = {"X-Claude-Code-Session-Id": session} | ({"x-claude-code-agent-id": agent} if agent else {})
        headers |= ({"x-api-key": key} if key else {}) | ({"authorization": f"Bearer {token}"} if token else {})
        said = [user(message) if isinstance(message, str) else message for message in messages]
        content = {"model": MODEL, "max_tokens": 1024, "stream": stream, "messages": said, **body}
        async with self.http.post(f"{self.url}{path}", json=content, headers=headers) as response:
            answer = Answer(response.status, {name.lower(): value for name, value in response.headers.items()})
            if response.content_type == "text/event-stream":
                async for line in response.content:
                    if line.startswith(b"data: "):
                        answer.events.append(json.loads(line[6:]))
            else:
                raw = await response.text()
                answer.body = json.loads(raw) if response.content_type == "application/json" else raw
            return answer

    async def control(self, method: str, path: str, content: Any = None) -> Any:
        """The JSON of a control endpoint; anything but 200 is an error."""
        async with self.http.request(method, f"{self.url}/_mock{path}", json=content) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def seen(self, session: str = "s1") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.control("GET", f"/requests?session={session}")
        return found

    async def totals(self, session: str = "s1") -> dict[str, Any]:
        found: dict[str, Any] = await self.control("GET", f"/sessions/{session}")
        return found
