"""The process: its outer doors, its logs, its start and its end."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from stint.gateway import app
from stint.gateway.config import Session
from stint.gateway.logs import Redacting, set_up
from unit.gateway.conftest import StartGateway
from unit.gateway.kit import KEY, Running, Upstream, document, settings_in, until

SOURCE = Path(app.__file__).parents[2]


async def test_ready_is_the_first_good_answer_and_health_is_always(gateway: Running) -> None:
    assert (await gateway.outside("/ready"))[0] == 503
    assert (await gateway.outside("/healthz"))[0] == 200
    await gateway.ask()
    assert (await gateway.outside("/ready"))[0] == 200


async def test_the_two_doors_do_not_mix(gateway: Running) -> None:
    for path in ("/v1/messages", "/stint/output", "/"):
        assert (await gateway.outside(path))[0] == 404
    async with gateway.client.post(f"http://127.0.0.1:{gateway.gateway.report_port}/report") as response:
        assert response.status == 405


async def test_there_is_a_report_before_the_first_request(gateway: Running) -> None:
    assert gateway.termination_message() == await gateway.report()
    assert gateway.termination_message()["usage"]["requests"] == 0


async def test_an_output_is_checked_and_its_hash_reported(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(outputSchema={"type": "object", "required": ["a"]})
    async with gateway.client.post(f"{gateway.url}/stint/output", json={"output": {"b": 1}}) as response:
        assert (response.status, await response.json()) == (200, {"valid": False, "error": "$: 'a' is a required property"})
    good = {"z": [1, 2], "a": "ü"}
    async with gateway.client.post(f"{gateway.url}/stint/output", json={"output": good}) as response:
        assert (response.status, await response.json()) == (200, {"valid": True, "error": None})
    expected = {"sha256": hashlib.sha256('{"a":"ü","z":[1,2]}'.encode()).hexdigest(), "valid": True, "error": None}
    assert (await gateway.report())["output"] == expected
    assert gateway.termination_message()["output"] == expected


async def test_an_output_that_is_none_is_refused(gateway: Running) -> None:
    for content, status in ((b"no json", 400), (b"x" * (4 << 20) + b"x", 413)):
        async with gateway.client.post(f"{gateway.url}/stint/output", data=io.BytesIO(content)) as response:
            assert response.status == status
    assert (await gateway.report())["output"] is None


def test_a_log_line_is_json_names_its_session_and_never_shows_the_key() -> None:
    formatter = Redacting(Session("team-a", "fix-test", "u"), 3, lambda text: text.replace(KEY, "[redacted]"))
    record = logging.LogRecord("stint.gateway", logging.INFO, "f", 1, "request %s", (KEY,), None)
    record.model = f"claude {KEY}"
    line = json.loads(formatter.format(record))
    assert (line["session"], line["attempt"], line["level"], line["message"]) == ("team-a/fix-test", 3, "INFO", "request [redacted]")
    assert line["model"] == "claude [redacted]"


def test_logs_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        set_up(Session("team-a", "fix-test", "u"), 1, str)
        logging.getLogger("stint.gateway").info("hello")
    finally:
        root.handlers[:], root.level = handlers, level
    assert json.loads(capsys.readouterr().err)["message"] == "hello"


def environment(folder: Path, upstream_url: str) -> dict[str, str]:
    settings = settings_in(folder)
    provider = {"name": "default", "baseURL": upstream_url, "auth": "APIKey"}
    (folder / "gateway.json").write_text(json.dumps(document(provider=provider)))
    return {
        "STINT_GATEWAY_CONFIG": str(folder / "gateway.json"),
        "STINT_CREDENTIAL_FILE": str(settings.credential_file),
        "STINT_METER_DIR": str(settings.meter_dir),
        "STINT_TERMINATION_LOG": str(settings.termination_log),
        "STINT_GATEWAY_PORT": "0",
        "STINT_REPORT_PORT": "0",
        "STINT_REPORT_HOST": "127.0.0.1",
        "POD_UID": "pod-1",
    }


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a pod, for `main` in this process."""
    for name, value in environment(tmp_path, "http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(app, "set_up", lambda *_: None)
    return tmp_path


def failure(folder: Path) -> str:
    said = json.loads((folder / "termination-log").read_bytes())
    assert set(said) == {"version", "error"} or said["usage"]["requests"] == 0, "no usage that could be taken for none"
    assert said["error"]["class"] == "InputInvalid"
    return str(said["error"]["message"])


def test_a_description_that_cannot_be_used_ends_the_start(pod: Path) -> None:
    (pod / "gateway.json").write_text('{"version": 7}')
    assert app.main() == 1
    assert failure(pod) == "The gateway cannot start: gateway.json has version 7; this gateway reads version 1"


def test_a_pod_without_a_name_ends_the_start(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POD_UID")
    assert app.main() == 1
    assert "POD_UID is not set" in failure(pod)


def test_a_volume_that_is_not_there_ends_the_start(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STINT_METER_DIR", str(pod / "nowhere"))
    assert app.main() == 1
    assert "No such file or directory" in failure(pod)


def test_a_taken_port_ends_the_start(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STINT_REPORT_HOST", "192.0.2.1")
    assert app.main() == 1
    assert "192.0.2.1" in failure(pod)


def test_even_the_reason_may_have_nowhere_to_go(pod: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("STINT_TERMINATION_LOG", str(pod / "no" / "folder"))
    monkeypatch.setenv("STINT_REPORT_PORT", "x")
    assert app.main() == 1
    assert "the termination message cannot be written" in capsys.readouterr().err


def test_main_serves_until_it_is_told_to_stop(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def started(gateway: app.Gateway, real: object = app.Gateway.start) -> None:
        await real(gateway)  # type: ignore[operator]
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(app.Gateway, "start", started)
    assert app.main() == 0
    assert json.loads((pod / "termination-log").read_bytes())["usage"]["requests"] == 0


async def test_the_process_ends_quickly_with_zero_and_leaves_its_report(upstream: Upstream, tmp_path: Path) -> None:
    program = "import sys; from stint.gateway.app import main; sys.exit(main())"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        env={**environment(tmp_path, upstream.url), "PYTHONPATH": str(SOURCE)},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    line = json.loads(await asyncio.wait_for(process.stderr.readline(), 20))
    assert (line["message"], line["session"], line["attempt"]) == ("ready to serve", "team-a/fix-test", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", line["agent_port"])
    writer.write(b'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{"model":"claude-x"}')
    await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 10)
    began = time.monotonic()
    process.terminate()
    _, errors = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    assert time.monotonic() - began < 2, "with nothing under way there is nothing to wait for"
    assert json.loads((tmp_path / "termination-log").read_bytes())["usage"]["requests"] == 1
    assert KEY.encode() not in errors
    writer.close()
    await until(lambda: len(upstream.received) == 1)


async def test_a_port_that_is_taken_later_does_not_hide_what_was_used(gateway: Running) -> None:
    """The agent shares the network: it can kill the gateway and take its port before it is back."""
    assert (await gateway.ask())[0] == 200
    report = gateway.gateway._record.report()
    said = app._failure(app.CannotListen(OSError(98, "Address already in use"), report))
    assert said["usage"]["cost"] == gateway.termination_message()["usage"]["cost"]
    assert said["error"]["class"] == "InputInvalid"


async def test_connections_beyond_the_limit_are_hung_up(start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MOST_CONNECTIONS", 2)
    gateway = await start_gateway()
    port = gateway.gateway.report_port
    kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for _, writer in kept:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
    for reader, _ in kept:
        assert await reader.read(15) == b"HTTP/1.1 200 OK"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    for _, one in [*kept, (reader, writer)]:
        one.close()
