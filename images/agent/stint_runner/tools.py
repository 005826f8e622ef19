"""Whether the session's MCP servers are there before the first request is paid for.

The CLI starts a session with whatever servers happen to be up. A session that needs a server would then spend money to find out that
it is missing, so the runner asks first: required servers must connect, the others get a moment and are reported as they are.

    pending ──▶ connected
       │  ▲
       ▼  │ reconnect (required ones only, backing off)
      failed ──▶ given up: the program does not exist, a login is needed, or the time is over
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .cli import Cli, Refused
from .description import McpServer
from .errors import TOOLS_UNAVAILABLE, Failed
from .result import ToolState

CONNECTED = "connected"
PENDING = "pending"
FAILED = "failed"
MISSING = "missing"

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0


@dataclass(frozen=True)
class Patience:
    """Seconds to wait for servers that are required, and for those that are not."""

    required: float = 30.0
    optional: float = 5.0


async def connect(cli: Cli, servers: tuple[McpServer, ...], patience: Patience, report: Callable[[tuple[ToolState, ...]], None]) -> None:
    """Wait for the servers and report how they are. Raises Failed(ToolsUnavailable) when a required one does not connect."""
    if not servers:
        return
    clock = asyncio.get_running_loop().time
    begun, pause = clock(), _FIRST_PAUSE
    while True:
        states = await _states(cli, servers)
        report(states)
        missing = [state for state in states if state.required and state.status != CONNECTED]
        waited = clock() - begun
        if waited >= patience.required or any(_hopeless(state) for state in missing):
            break
        late = any(state.status == PENDING and not state.required for state in states) and waited < patience.optional
        if not missing and not late:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
        for state in missing:
            if state.status == FAILED:
                await _reconnect(cli, state.name, patience.required - waited)
    at_fault = [state for state in missing if state.status != PENDING] or missing
    if at_fault:
        raise Failed(TOOLS_UNAVAILABLE, "; ".join(f"{state.name}: {state.error or state.status}" for state in at_fault))


async def _states(cli: Cli, servers: tuple[McpServer, ...]) -> tuple[ToolState, ...]:
    answer = await cli.ask("mcp_status")
    listed = answer.get("mcpServers")
    known = {each.get("name"): each for each in listed if isinstance(each, dict)} if isinstance(listed, list) else {}
    return tuple(_state(server, known.get(server.name)) for server in servers)


def _state(server: McpServer, reported: dict[str, object] | None) -> ToolState:
    if reported is None:
        return ToolState(server.name, MISSING, server.required, "the CLI did not accept its configuration")
    error = reported.get("error")
    return ToolState(server.name, str(reported.get("status")), server.required, None if error is None else str(error))


def _hopeless(state: ToolState) -> bool:
    """Whether trying again cannot help."""
    return state.status not in (PENDING, FAILED, CONNECTED) or (state.status == FAILED and (state.error or "").startswith("ENOENT"))


async def _reconnect(cli: Cli, name: str, seconds: float) -> None:
    """The answer comes when the server has connected or failed; what became of it shows in the next look at all of them."""
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await cli.ask("mcp_reconnect", serverName=name)
    except (Refused, TimeoutError):
        return
