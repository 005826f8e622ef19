#!/usr/bin/env python3
"""A stand-in for the CLI: it speaks the same lines over stdin and stdout, and plays a script instead of asking a model.

The script is a JSON file named by `STUB_SCRIPT`:

    {"initialize": "answer" | "silence" | "exit",   how the first control request is met
     "mcp": [[{"name", "status", "error"}], …],     what `mcp_status` tells, poll by poll (the last one stays)
     "turn": [step, …],                             played when the user message comes
     "ignore_eof": false, "ignore_term": false}

    steps: {"emit": event}  {"raw": text}  {"big": bytes}  {"stderr": text}  {"kill": signal}  {"exit": code}
           {"await_interrupt": true}  {"await": path}  {"touch": path}  {"orphan": path}

Everything received, and how it was started, goes to the file named by `STUB_RECORD`, a JSON line each.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

SCRIPT: dict[str, Any] = json.loads(Path(os.environ["STUB_SCRIPT"]).read_text())
INTERRUPTED = threading.Event()
DEADLINE = 20.0  # seconds; a stub that nobody ends must not stay for ever


def record(**entry: Any) -> None:
    with open(os.environ["STUB_RECORD"], "a") as file:
        file.write(json.dumps(entry) + "\n")


def emit(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def wait_for(path: str) -> None:
    end = time.monotonic() + DEADLINE
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.005)


def orphan(path: str) -> None:
    """A grandchild whose parent is gone at once, and which ends by itself when `path` appears."""
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            Path(path + ".pid").write_text(str(os.getpid()))
            wait_for(path)
        os._exit(0)
    os.wait()
    wait_for(path + ".pid")


def play(steps: list[dict[str, Any]]) -> None:
    for step in steps:
        match step:
            case {"emit": event}:
                emit(event)
            case {"raw": text}:
                sys.stdout.write(text + "\n")
                sys.stdout.flush()
            case {"big": size}:
                emit({"type": "user", "padding": "x" * size})
            case {"stderr": text}:
                sys.stderr.write(text + "\n")
                sys.stderr.flush()
            case {"kill": number}:
                os.kill(os.getpid(), number)
            case {"exit": code}:
                os._exit(code)
            case {"await_interrupt": True}:
                INTERRUPTED.wait(DEADLINE)
            case {"await": path}:
                wait_for(path)
            case {"touch": path}:
                Path(path).touch()
            case {"orphan": path}:
                orphan(path)


def answer(message: dict[str, Any], polls: list[int]) -> None:
    request = message["request"]
    response: dict[str, Any] = {}
    match request["subtype"]:
        case "initialize" if SCRIPT.get("initialize") == "silence":
            return
        case "initialize" if SCRIPT.get("initialize") == "exit":
            sys.stderr.write(SCRIPT.get("complaint", "Error: bad argument") + "\n")
            sys.stderr.flush()
            os._exit(1)
        case "mcp_status":
            states = SCRIPT["mcp"]
            response = {"mcpServers": states[min(len(polls), len(states) - 1)]}
            polls.append(1)
        case "interrupt":
            INTERRUPTED.set()
        case "mcp_reconnect":
            error = {"subtype": "error", "request_id": message["request_id"], "error": "Connection closed"}
            emit({"type": "control_response", "response": error})
            return
    emit({"type": "control_response", "response": {"subtype": "success", "request_id": message["request_id"], "response": response}})


def main() -> None:
    if SCRIPT.get("ignore_term"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    read = [arg.partition("=")[2] for arg in sys.argv if arg.startswith(("--append-system-prompt-file=", "--mcp-config=", "--agents="))]
    files = {path.rsplit("/", 1)[1]: Path(path).read_text() for path in read}
    record(argv=sys.argv[1:], env=dict(os.environ), cwd=os.getcwd(), files=files)
    if "before" in SCRIPT:
        play(SCRIPT["before"])
    turns: list[threading.Thread] = []
    polls: list[int] = []
    for line in sys.stdin:
        message = json.loads(line)
        record(received=message)
        if message["type"] == "control_request":
            answer(message, polls)
        elif message["type"] == "user":
            turns.append(threading.Thread(target=play, args=(SCRIPT.get("turn", []),), daemon=True))
            turns[-1].start()
    record(eof=True)
    if SCRIPT.get("ignore_eof"):
        time.sleep(DEADLINE)
    for turn in turns:
        turn.join(DEADLINE)
    os._exit(SCRIPT.get("code", 0))


main()
