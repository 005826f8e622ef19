"""Reading `run.json`: what is wrong is said with the name of the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stint_runner.description import parse_description, read_description
from stint_runner.errors import Failed
from unit.runner.kit import document, mcp_server


def test_the_document_of_the_contract_is_understood() -> None:
    description = parse_description(
        document(
            agent={
                "tools": ["Bash"],
                "subagents": [{"name": "r", "description": "d", "prompt": "p", "tools": None, "model": None}],
                "mcpServers": [mcp_server(env={"A": {"fromEnv": "STINT_MCP_0_0"}, "B": {"value": "fast"}})],
            },
            files=[{"path": "notes/todo.md", "content": "x", "file": None, "mode": 420}],
            git={"url": "https://host/r", "ref": None, "depth": 1, "auth": "None"},
            timeoutSeconds=3600,
        )
    )

    assert description.agent.tools == ("Bash",)
    assert description.agent.mcp_servers[0].env[0][1].from_env == "STINT_MCP_0_0"
    assert description.files[0].mode == 0o644
    assert description.git is not None
    assert description.timeout_seconds == 3600.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version 2.*version 1"),
        ({"attempt": "1"}, "run.json.attempt: a whole number"),
        ({"attempt": True}, "run.json.attempt: a whole number"),
        ({"reason": "Whim"}, "run.json.reason: one of Start, Retry, Resume, Again"),
        ({"conversation": "../../etc/passwd"}, "run.json.conversation: a UUID"),
        ({"forkFrom": "x"}, "run.json.forkFrom: a UUID"),
        ({"promptFile": "/run/stint/inputs/prompt"}, "exactly one of prompt and promptFile"),
        ({"prompt": None}, "exactly one of prompt and promptFile"),
        ({"gateway": "https://evil.example.com"}, "run.json.gateway: http://host:port"),
        ({"graceSeconds": None}, "run.json.graceSeconds: a number"),
        ({"files": [{"path": "a", "content": None, "file": None, "mode": 420}]}, r"run.json.files\[0\].content: exactly one"),
        ({"files": {}}, "run.json.files: a list"),
        ({"git": {"url": "x", "ref": None, "depth": None, "auth": "Magic"}}, "run.json.git.auth: one of"),
        ({"agent": {"allowedTools": [1]}}, "run.json.agent.allowedTools: a list of texts"),
        ({"agent": {"repository": None}}, "run.json.agent.repository: an object"),
        ({"agent": {"mcpServers": [mcp_server(command=None)]}}, r"mcpServers\[0\].command: a server of type stdio needs it"),
        ({"agent": {"mcpServers": [mcp_server(env={"A": {}})]}}, r"mcpServers\[0\].env.A.value: exactly one"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Failed, match=f"InputInvalid: .*{words}"):
        parse_description(document(**changes))


def test_a_document_that_is_no_json_is_told(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")

    with pytest.raises(Failed, match="is not JSON"):
        read_description(str(tmp_path / "run.json"))


def test_a_missing_document_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="No such file"):
        read_description(str(tmp_path / "run.json"))
