"""What is said to the CLI, and when there is nothing more to wait for.

    initialize ─┬─▶ servers connected ─▶ prompt ─▶ … ─▶ result
    gateway is up┘

The prompt is the only user message that is ever sent: a second line while a turn runs would be queued and run after it.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace

from .cli import Cli, Event, Gone, Refused
from .description import Description
from .errors import AGENT_CRASHED, PROVIDER_UNREACHABLE, Failed
from .gateway import Gateway
from .outcome import Seen, observe
from .result import ToolState
from .tools import Patience, connect


@dataclass(frozen=True)
class Limits:
    """Seconds. `background` is how long something may go on quietly in the background after an answer; `settle` is how soon the CLI
    begins a turn about something that ended there."""

    initialize: float = 300.0
    gateway: float = 120.0
    background: float = 600.0
    settle: float = 1.0
    tools: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class Attempt:
    """What is to be said. `message_id` is a UUID; `secrets` are files to remove as soon as the CLI has read them."""

    description: Description
    prompt: str
    message_id: str
    secrets: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


class Conversation:
    def __init__(self, attempt: Attempt, gateway: Gateway) -> None:
        self._attempt = attempt
        self._gateway = gateway
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None
        self.seen = Seen()
        self.tools: tuple[ToolState, ...] = ()
        self._asked = False

    @property
    def busy(self) -> bool:
        """Whether there is a turn to interrupt."""
        return self._asked and (self.seen.result is None or self.seen.in_turn)

    def forget_answer(self) -> None:
        """An answer that something in the background may still change is not the last word of a session that will be resumed."""
        self.seen = replace(self.seen, result=None)

    def observe(self, event: Event) -> None:
        self.seen = observe(self.seen, event)
        if self._timer is not None:
            self._timer.cancel()
        patience = self._patience(event)
        if patience is not None:
            self._timer = asyncio.get_running_loop().call_later(patience, self._end)

    async def hold(self, cli: Cli) -> None:
        """Everything up to the last result. Returns early when the CLI is gone; what it left decides then. Raises Failed."""
        limits = self._attempt.limits
        gateway = asyncio.ensure_future(self._gateway.ready())
        try:
            late = f"the CLI was not ready within {limits.initialize:g} s"
            await _within(limits.initialize, cli.ask("initialize", hooks=None), Failed(AGENT_CRASHED, late))
            self._remove_secrets()
            late = f"the gateway did not answer within {limits.gateway:g} s"
            await _within(limits.gateway, gateway, Failed(PROVIDER_UNREACHABLE, late))
            await connect(cli, self._attempt.description.agent.mcp_servers, limits.tools, self._report)
            self._asked = True
            await cli.say(self._attempt.prompt, self._attempt.message_id)
            await self._until_over(cli)
        except Refused as refused:
            raise Failed(AGENT_CRASHED, f"the CLI refused to start the session: {refused}") from None
        except Gone:
            return
        finally:
            gateway.cancel()

    def _patience(self, event: Event) -> float | None:
        """Seconds until nothing more is to be expected, None while a turn runs."""
        if self.seen.result is None or self.seen.in_turn:
            return None
        if self.seen.tasks:
            return self._attempt.limits.background
        return 0 if event.get("type") == "result" else self._attempt.limits.settle

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _report(self, tools: tuple[ToolState, ...]) -> None:
        self.tools = tools

    async def _until_over(self, cli: Cli) -> None:
        gone = asyncio.ensure_future(cli.gone())
        await asyncio.wait({self._over, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()

    def _remove_secrets(self) -> None:
        for path in self._attempt.secrets:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


async def _within(seconds: float, awaitable: Awaitable[object], late: Failed) -> None:
    try:
        async with asyncio.timeout(seconds):
            await awaitable
    except TimeoutError:
        raise late from None
