"""One attempt, from the running CLI to its end, whatever happens in between.

    conversation ──▶ result ───────────────▶ stdin closed ─▶ exit        who does not follow is ended by the
         │ SIGTERM, time limit                  ▲      └─▶ SIGTERM ─▶ SIGKILL   next, harder step
         └──▶ interrupt ─▶ result (or none) ────┘

Every step has a share of the grace period, so that the result is written before kubelet loses its patience.
"""

import asyncio
import contextlib
import signal
import subprocess

from .cli import Cli
from .conversation import Attempt, Conversation
from .errors import OUTPUT_INVALID, PROVIDER_UNREACHABLE, TIMEOUT, Error, Failed
from .gateway import Gateway, Unreachable
from .outcome import Ending, Outcome, conclude
from .result import FAILED, INTERRUPTED, SUCCEEDED
from .streams import Writer

INTERRUPT_SHARE = 0.4
EXIT_SHARE = 0.3
TERM_SHARE = 0.15
KILL_SHARE = 0.05
"""Shares of the grace period: 0.9 in all, the rest is for the result."""


class Supervisor:
    def __init__(self, attempt: Attempt, process: "subprocess.Popen[bytes]", log: Writer) -> None:
        self._description = attempt.description
        self._gateway = Gateway(attempt.description.gateway)
        self._stop_asked = asyncio.Event()
        self._stopped: str | None = None
        self.conversation = Conversation(attempt, self._gateway)
        self._cli = Cli(process, log, self.conversation.observe)

    def stop(self, why: str) -> None:
        """End the attempt early; `why` is INTERRUPTED or TIMEOUT, and the first one counts."""
        self._stopped = self._stopped or why
        self._stop_asked.set()

    async def run(self) -> Outcome:
        await self._cli.attach()
        if self._description.timeout_seconds is not None:
            asyncio.get_running_loop().call_later(self._description.timeout_seconds, self.stop, TIMEOUT)
        wants_output = self._description.agent.output_schema is not None
        try:
            stopped = await self._converse()
        except Failed as failed:
            await self._end()
            return Outcome(FAILED, error=failed.error)
        ending = Ending(await self._end(), stopped, self._cli.stderr)
        outcome = conclude(self.conversation.seen, ending, wants_output=wants_output)
        return await self._checked(outcome) if wants_output else outcome

    async def _converse(self) -> str | None:
        """Hold the conversation to its end, or until it is stopped; then why it was."""
        talk = asyncio.ensure_future(self.conversation.hold(self._cli))
        stop = asyncio.ensure_future(self._stop_asked.wait())
        await asyncio.wait({talk, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if talk.done():
            await talk
            return None
        if self.conversation.busy:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._description.grace_seconds * INTERRUPT_SHARE):
                    await self._cli.interrupt()
                    await asyncio.shield(talk)
        if self._stopped == INTERRUPTED and not talk.done():
            self.conversation.forget_answer()
        talk.cancel()
        return self._stopped

    async def _end(self) -> int | None:
        """End the CLI: by closing stdin, which lets it finish its files, else by signals. Its exit code, None if it outlived them all."""
        grace, child = self._description.grace_seconds, self._cli.child
        self._cli.close_stdin()
        for share, then in ((EXIT_SHARE, signal.SIGTERM), (TERM_SHARE, signal.SIGKILL), (KILL_SHARE, signal.SIGKILL)):
            await asyncio.wait({child.exit_code}, timeout=grace * share)
            if child.exit_code.done():
                break
            child.signal_group(then)
        child.signal_group(signal.SIGKILL)
        await self._cli.drain(grace * KILL_SHARE)
        return child.exit_code.result() if child.exit_code.done() else None

    async def _checked(self, outcome: Outcome) -> Outcome:
        """The gateway has the last word on the structured output, because the agent could write its own result."""
        if outcome.outcome != SUCCEEDED:
            return outcome
        try:
            fault = await self._gateway.submit_output(outcome.structured)
        except Unreachable as unreachable:
            error = Error(PROVIDER_UNREACHABLE, f"the gateway did not take the structured output: {unreachable}")
            return Outcome(FAILED, text=outcome.text, error=error)
        if fault is not None:
            error = Error(OUTPUT_INVALID, f"the structured output does not match the schema: {fault}")
            return Outcome(FAILED, text=outcome.text, structured=outcome.structured, error=error)
        return outcome
