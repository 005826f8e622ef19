"""`stint-runner run`: prepare, start the CLI, supervise it, hand back the result.

The order is the point. The CLI takes longest to start, so it is started before asyncio is even imported; what must stand before it
starts (its config dir, the session's files) is a few system calls, and the gateway is waited for while it starts.
"""

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

from . import command, transcript
from .configdir import clean_config
from .description import Description, read_description
from .errors import AGENT_CRASHED, CONTINUE_FAILED, INPUT_INVALID, Error, Failed
from .paths import Paths
from .prompts import resume_prompt
from .result import FAILED, Result, log_line, termination_message
from .workspace import read_guidance, read_prompt, write_files


@dataclass(frozen=True)
class Started:
    """The running CLI and what it is to be told. `at` is the wall clock of the runner's own start, in seconds."""

    process: "subprocess.Popen[bytes]"
    description: Description
    prompt: str
    message_id: str
    resumed: bool
    secrets: tuple[str, ...]
    at: float


def run(environ: Mapping[str, str]) -> int:
    """The exit code: 0 only for a success."""
    at = time.time()
    paths = Paths.of(environ)
    early: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):  # process 1 would ignore them, and kubelet wait in vain
        signal.signal(number, lambda received, _: early.append(received))
    result = Result(FAILED, error=Error(AGENT_CRASHED, "the runner itself failed; its log says how"))
    try:
        description = read_description(paths.description)
        result = replace(result, attempt=description.attempt, conversation=description.conversation)
        started = start(description, environ, paths, at)
        from .attempt import supervise  # only now, because it imports asyncio: the CLI is starting meanwhile

        result = supervise(started, early)
    except Failed as failed:
        result = replace(result, error=failed.error)
        _write_all(1, log_line(result))
    finally:
        write_termination_message(paths, termination_message(result))
    return result.exit_code


def start(description: Description, environ: Mapping[str, str], paths: Paths, at: float) -> Started:
    """Everything up to the CLI's start. Raises Failed."""
    try:
        clean_config(paths.config)
        write_files(description.files, paths, overwrite=description.reason == "Start")
        resumed = _resumes(description, paths)
    except OSError as error:
        raise Failed(INPUT_INVALID, f"cannot prepare the session: {error}") from None
    goes_on = resumed and description.reason != "Again"
    prompt = resume_prompt(description.reason) if goes_on else read_prompt(description.prompt, description.prompt_file, paths)
    repository_text = read_guidance(paths.workspace) if command.wants_repository_text(description.agent) else None
    scratch = f"{paths.tmp}/stint-{os.getpid()}-{time.monotonic_ns()}"
    built = command.build(description, environ, paths, scratch, resume=resumed, repository_text=repository_text)
    _write_scratch(scratch, built.files)
    secrets = (f"{scratch}/{command.MCP_FILE}",) if command.MCP_FILE in built.files else ()
    return Started(_spawn(built, paths), description, prompt, _message_id(description, resumed), resumed, secrets, at)


def write_termination_message(paths: Paths, message: bytes) -> None:
    """Kubelet made the file; where there is none (outside a pod) there is nobody to read it."""
    with contextlib.suppress(OSError), open(paths.termination_message, "wb") as file:
        file.write(message)


def _resumes(description: Description, paths: Paths) -> bool:
    folder = paths.transcripts()
    own = f"{folder}/{description.conversation}.jsonl"
    task = None if description.fork_from is None else transcript.prompt_id(description.conversation)
    if transcript.holds_user_message(own, task):
        return True
    if os.path.lexists(own):
        transcript.set_aside(own)
    if description.fork_from is not None and not transcript.holds_user_message(f"{folder}/{description.fork_from}.jsonl"):
        raise Failed(CONTINUE_FAILED, f"there is no transcript of the conversation {description.fork_from} to go on from")
    return False


def _message_id(description: Description, resumed: bool) -> str:
    fresh = resumed or description.fork_from is None
    return str(uuid.uuid4()) if fresh else transcript.prompt_id(description.conversation)


def _write_scratch(scratch: str, files: Mapping[str, str]) -> None:
    if not files:
        return
    try:
        os.makedirs(scratch, 0o700)
        for name, content in files.items():
            descriptor = os.open(f"{scratch}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(content.encode("utf-8", "replace"))
    except OSError as error:
        raise Failed(INPUT_INVALID, f"cannot write to {scratch}: {error.strerror}") from None


def _spawn(built: command.Command, paths: Paths) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            built.argv,
            env=built.env,
            cwd=paths.workspace,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
    except OSError as error:
        raise Failed(AGENT_CRASHED, f"the CLI {built.argv[0]} cannot be started: {error.strerror}") from None


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
