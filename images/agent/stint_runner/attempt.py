"""The part of `run` that needs asyncio: supervise the running CLI, and end the log with the result."""

import asyncio
import contextlib
import os
import signal

from .conversation import Attempt, Conversation
from .outcome import Outcome
from .result import INTERRUPTED, Result, log_line
from .run import Started
from .streams import Writer
from .supervisor import Supervisor

_FLUSH_SECONDS = 2.0


def supervise(started: Started, early: list[int]) -> Result:
    """`early` holds the signals that came before there was anybody to act on them."""
    return asyncio.run(_supervise(started, early))


async def _supervise(started: Started, early: list[int]) -> Result:
    attempt = Attempt(started.description, started.prompt, started.message_id, started.secrets)
    log = await Writer.open(os.fdopen(os.dup(1), "wb", 0))
    supervisor = Supervisor(attempt, started.process, log)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop, INTERRUPTED)
    if early:
        supervisor.stop(INTERRUPTED)
    result = _result(started, await supervisor.run(), supervisor.conversation)
    with contextlib.suppress(TimeoutError):  # when nobody reads the log, the termination message still says how it ended
        async with asyncio.timeout(_FLUSH_SECONDS):
            await log.write(log_line(result))
            await log.flush()
    return result


def _result(started: Started, outcome: Outcome, conversation: Conversation) -> Result:
    sent = conversation.seen.first_request_ms
    return Result(
        outcome.outcome,
        attempt=started.description.attempt,
        text=outcome.text,
        structured=outcome.structured,
        error=outcome.error,
        turns=conversation.seen.turns,
        conversation=started.description.conversation,
        resumed=started.resumed,
        first_request_seconds=None if sent is None else round(sent / 1000 - started.at, 3),
        tools=conversation.tools,
    )
