"""What must stand before the model is asked anything, and what is checked when it has answered."""

from __future__ import annotations

import json

from unit.runner.kit import PACKAGE, Pod, answered, mcp_server


async def test_a_missing_cli_is_a_crash(pod: Pod) -> None:
    pod.environ = {"STINT_CLI": "/nowhere/claude"}

    ended = await pod.run()

    assert ended.message["error"]["message"] == "the CLI /nowhere/claude cannot be started: No such file or directory"
    assert ended.log[-1]["type"] == "stint_result"


async def test_a_schema_that_the_cli_refuses_is_an_invalid_input(pod: Pod) -> None:
    pod.script = {"initialize": "exit", "complaint": "Error: --json-schema is not a valid JSON Schema"}

    ended = await pod.run(agent={"outputSchema": {"type": "nonsense"}})

    assert ended.message["error"]["class"] == "InputInvalid"


async def test_a_valid_structured_output_was_shown_to_the_gateway(pod: Pod) -> None:
    pod.script = answered('{"answer":42}', structured_output={"answer": 42})

    ended = await pod.run(agent={"outputSchema": {"type": "object"}})

    assert (ended.message["outcome"], ended.message["structured"]) == ("Succeeded", {"answer": 42})
    assert pod.gateway.outputs == [{"answer": 42}]


async def test_an_output_that_the_gateway_rejects_fails(pod: Pod) -> None:
    pod.gateway.valid = False
    pod.script = answered('{"answer":42}', structured_output={"answer": 42})

    ended = await pod.run(agent={"outputSchema": {"type": "object"}})

    assert ended.message["error"]["class"] == "OutputInvalid"
    assert "42 is not a string" in ended.message["error"]["message"]


async def test_a_required_server_that_does_not_exist_stops_before_any_request(pod: Pod) -> None:
    failed = {"name": "docs", "status": "failed", "error": "ENOENT: no such file or directory"}
    pod.script = {"mcp": [[failed]]}

    ended = await pod.run(agent={"mcpServers": [mcp_server(required=True)]})

    assert ended.message["error"]["class"] == "ToolsUnavailable"
    assert ended.message["error"]["message"] == "docs: ENOENT: no such file or directory"
    assert ended.message["tools"] == [{**failed, "required": True}]
    assert pod.received("user") == []


async def test_a_required_server_is_reconnected_until_it_is_there(pod: Pod) -> None:
    pending, failed = {"name": "docs", "status": "pending"}, {"name": "docs", "status": "failed", "error": "refused"}
    pod.script = {"mcp": [[pending], [failed], [{"name": "docs", "status": "connected"}]], **answered()}

    ended = await pod.run(agent={"mcpServers": [mcp_server(required=True)]})

    assert ended.message["outcome"] == "Succeeded"
    requests = [entry["request"]["subtype"] for entry in pod.received("control_request")]
    assert requests == ["initialize", "mcp_status", "mcp_status", "mcp_reconnect", "mcp_status"]


async def test_a_server_that_is_not_required_may_fail(pod: Pod) -> None:
    pod.script = {"mcp": [[{"name": "docs", "status": "failed", "error": "refused"}]], **answered()}

    ended = await pod.run(agent={"mcpServers": [mcp_server()]})

    assert ended.message["outcome"] == "Succeeded"
    assert ended.message["tools"] == [{"name": "docs", "status": "failed", "required": False, "error": "refused"}]


async def test_secrets_of_servers_reach_their_configuration_only(pod: Pod) -> None:
    pod.environ = {"STINT_MCP_0_0": "s3cret", "EXTRA_SECRET": "s3cret"}
    pod.script = {"mcp": [[{"name": "docs", "status": "connected", "config": {"env": {"TOKEN": "s3cret"}}}]], **answered()}
    env = {"TOKEN": {"fromEnv": "STINT_MCP_0_0"}, "OTHER": {"fromEnv": "EXTRA_SECRET"}}

    ended = await pod.run(agent={"mcpServers": [mcp_server(env=env)]})

    started = pod.started()
    assert json.loads(started["files"]["mcp.json"])["mcpServers"]["docs"]["env"] == {"TOKEN": "s3cret", "OTHER": "s3cret"}
    assert "s3cret" not in json.dumps([started["env"], started["argv"], ended.log])
    assert not any(path.name == "mcp.json" for path in (pod.root / "tmp").rglob("*"))


async def test_a_wrong_description_still_leaves_a_message(pod: Pod) -> None:
    ended = await pod.run(version=2)

    assert ended.code == 1
    assert ended.message["error"]["class"] == "InputInvalid"
    assert "version 2" in ended.message["error"]["message"]
    assert "version 1" in ended.message["error"]["message"]


async def test_a_module_in_the_working_directory_is_not_imported(pod: Pod) -> None:
    pod.script = answered()
    (pod.workspace / "json.py").write_text("raise SystemExit('hijacked')")
    pod.describe()
    process = await pod.start(prefix=("env", "-C", str(pod.workspace)))

    ended = await pod.end(process)

    assert ended.message["outcome"] == "Succeeded"


async def test_a_fault_of_the_runner_itself_still_leaves_a_message(pod: Pod) -> None:
    pod.describe()
    (pod.root / "broken").mkdir()
    (pod.root / "broken/asyncio.py").write_text("raise RuntimeError('no asyncio here')")
    pod.environ = {"PYTHONPATH": f"{pod.root}/broken:{PACKAGE}"}

    ended = await pod.end(await pod.start())

    assert ended.code == 1
    assert ended.message["error"] == {
        "class": "AgentCrashed",
        "message": "the runner itself failed; its log says how",
        "apiStatus": None,
        "resetsAt": None,
    }
    assert "no asyncio here" in ended.errors
