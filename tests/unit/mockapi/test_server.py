"""The server around the API: endpoints, the page, the log, start and stop."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from mockapi.app import LARGEST_REQUEST
from unit.mockapi.calls import Api, script

PACKAGE = Path(__file__).parents[3] / "images" / "mockapi"


async def test_the_model_list_names_the_priced_models(api: Api) -> None:
    async with api.http.get(f"{api.url}/v1/models", headers={"x-api-key": "k"}) as response:
        models = await response.json()
    assert models["data"][0].keys() == {"type", "id", "display_name", "created_at"}
    assert {"claude-opus-5-5", "claude-sonnet-5-5"} <= {model["id"] for model in models["data"]}
    async with api.http.get(f"{api.url}/v1/models/claude-opus-5-5", headers={"x-api-key": "k"}) as response:
        assert (await response.json())["display_name"] == "Claude Opus 5.5"
    async with api.http.get(f"{api.url}/v1/models/none", headers={"x-api-key": "k"}) as response:
        assert response.status == 404


async def test_an_unknown_path_is_an_error_of_the_api(api: Api) -> None:
    answer = await api.ask("hi", path="/v1/complete")
    assert answer.status == 404
    assert answer.body["error"]["type"] == "not_found_error"


async def test_a_request_that_is_none_is_refused(api: Api) -> None:
    for body, message in ((b"{", "not valid JSON"), (b"[]", "not valid JSON"), (b"{}", "model: "), (b'{"model": "m"}', "messages: ")):
        async with api.http.post(f"{api.url}/v1/messages", data=body, headers={"x-api-key": "k"}) as response:
            assert response.status == 400
            assert message in (await response.json())["error"]["message"]


async def test_a_conversation_of_nonsense_is_answered_all_the_same(api: Api) -> None:
    answer = await api.ask({"role": "user"}, {"role": "user", "content": [1, {"type": "text"}]}, messages=["x", {"role": "user", "content": 7}])
    assert answer.status == 200


async def test_a_request_that_is_too_large_is_refused(api: Api) -> None:
    async with api.http.post(f"{api.url}/v1/messages", data=io.BytesIO(b"x" * (LARGEST_REQUEST + 1)), headers={"x-api-key": "k"}) as response:
        assert response.status == 413
        assert (await response.json())["error"]["type"] == "request_too_large"


async def test_the_page_shows_what_was_seen_and_runs_nothing(api: Api) -> None:
    await api.ask(script({"text": "x"}, before="<script>alert(1)</script> "), session="<b>s</b>")
    await api.control("PUT", "/faults", [{"status": 529, "message": "<i>"}])
    await api.control("PUT", "/gates/my-gate")
    async with api.http.get(f"{api.url}/") as response:
        page = await response.text()
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert "&lt;b&gt;s&lt;/b&gt;" in page
    assert "my-gate" in page
    assert "529" in page
    assert not any(tag in page for tag in ("<script", "<b>", "<i>"))


def test_the_command_serves_logs_and_stops_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mockapi", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as server:
        assert server.stdout is not None
        assert json.loads(server.stdout.readline())["url"] == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port)) as hanging:
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": script({"hang": True})}]}).encode()
            head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: secret\r\ncontent-length: {len(body)}\r\n\r\n"
            hanging.sendall(head.encode() + body)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_mock/requests?atleast=1&timeout=5") as response:
                assert len(json.load(response)) == 1
            stopping = time.monotonic()
            server.send_signal(signal.SIGTERM)
            line = json.loads(server.stdout.readline())
            assert server.wait(timeout=10) == 0
            assert time.monotonic() - stopping < 5
    assert (line["message"], line["path"], line["aborted"]) == ("request", "/v1/messages", True)
    assert "MOCK" not in json.dumps(line)
    assert "secret" not in json.dumps(line)


def test_a_price_table_that_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mockapi", "--prices", str(tmp_path / "none.json")]
    ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(PACKAGE)}, timeout=30, check=False)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
