"""The small processes inside a cluster: the supervisor that restarts what dies, and the forwarder."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devcluster import paths
from devcluster.components import Component, Plan, Setup, read_status, stopped_marker
from devcluster.forwarder import serve

SUPERVISE = "import sys; from pathlib import Path; from devcluster.components import read_plan; from devcluster.supervisor import Supervisor\n"
SUPERVISE += "Supervisor(read_plan(Path(sys.argv[1]))).run()"


def wait_for(check: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A supervisor, without namespaces, that keeps `sleep` running; a second component waits for a socket."""
    from devcluster import pki

    pki.Authority(tmp_path / "pki")
    sleeper = Component("sleeper", ["sleep", "600"])
    waiter = Component("waiter", ["sleep", "600"], after=[f"unix:{tmp_path}/ready"])
    plan = Plan(str(tmp_path), str(tmp_path / "pki" / "ca.crt"), Setup("here"), [sleeper, waiter]).write()
    environment = {**os.environ, "PYTHONPATH": str(paths.HERE.parent)}
    with subprocess.Popen([sys.executable, "-c", SUPERVISE, str(plan)], env=environment) as process:
        wait_for(lambda: "sleeper" in read_status(tmp_path))
        yield tmp_path, process.pid
        process.kill()
        for status in read_status(tmp_path).values():
            if status["pid"]:
                os.kill(status["pid"], signal.SIGKILL)


def test_a_component_that_dies_is_started_again(supervised: tuple[Path, int]) -> None:
    folder, _ = supervised
    first = read_status(folder)["sleeper"]["pid"]
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: read_status(folder)["sleeper"]["pid"] not in (None, first))
    assert read_status(folder)["sleeper"] | {"pid": 0} == {"pid": 0, "starts": 2, "exit": -9}


def test_a_stopped_component_stays_down_until_its_marker_is_gone(supervised: tuple[Path, int]) -> None:
    folder, supervisor = supervised
    marker = stopped_marker(folder, "sleeper")
    marker.touch()
    os.kill(read_status(folder)["sleeper"]["pid"], signal.SIGKILL)
    wait_for(lambda: read_status(folder)["sleeper"]["pid"] is None)
    marker.unlink()
    os.kill(supervisor, signal.SIGHUP)
    wait_for(lambda: read_status(folder)["sleeper"]["pid"] is not None)


def test_a_component_waits_for_what_it_needs(supervised: tuple[Path, int]) -> None:
    folder, _ = supervised
    assert read_status(folder)["waiter"]["starts"] == 0
    (folder / "ready").touch()
    wait_for(lambda: read_status(folder)["waiter"]["pid"] is not None)


async def test_the_forwarder_passes_bytes_and_the_end_of_each_direction() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.read()  # until the caller's half is closed
        writer.write(question.upper())
        writer.close()

    inside = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = inside.sockets[0].getsockname()
    listener = socket.create_server(("127.0.0.1", 0))
    forwarder = asyncio.create_task(serve(listener, host, port))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"x" * 1_000_000)
    writer.write_eof()
    assert await reader.read() == b"X" * 1_000_000
    writer.close()
    await writer.wait_closed()
    forwarder.cancel()
    await asyncio.gather(forwarder, return_exceptions=True)
    inside.close()
    await inside.wait_closed()
