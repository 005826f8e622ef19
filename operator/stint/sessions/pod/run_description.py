"""``run.json``: what the runner is to do (docs/reference/pod-contract.md)."""

from __future__ import annotations

from typing import Any

import orjson

from stint.api import defaults
from stint.api.env import EnvVar
from stint.api.mcp import Header, MCPServer
from stint.sessions.ending import SUCCEEDED, SUSPENDED
from stint.sessions.failures import policy
from stint.sessions.names import conversation
from stint.sessions.observed import Observed

GRACE_SECONDS = 30
"""Between SIGTERM and SIGKILL. The runner stops the CLI five seconds before."""
GATEWAY_URL = "http://127.0.0.1:8787"
INPUTS = "/run/stint/inputs"


def run_description(seen: Observed, attempt: int) -> str:
    """The JSON text of the annotation ``stint.dev/run``."""
    assert seen.spec is not None
    assert seen.resolved is not None
    assert seen.provider is not None
    agent, spec = seen.resolved.agent, seen.spec
    model = agent.model or seen.provider.spec.default_model
    document = {
        "version": 1,
        "session": {"namespace": seen.namespace, "name": seen.name, "uid": seen.uid},
        "attempt": attempt,
        "reason": _reason(seen),
        "conversation": conversation(seen.uid),
        "forkFrom": conversation(seen.source.uid) if seen.source else None,
        "prompt": spec.prompt,
        "promptFile": f"{INPUTS}/prompt" if spec.prompt_from else None,
        "auth": seen.provider.spec.credential.type,
        "gateway": GATEWAY_URL,
        "agent": {
            "model": model,
            "fallbackModels": [name for name in agent.fallback_models or () if name != model],
            "systemPrompt": agent.system_prompt,
            "appendSystemPrompt": agent.append_system_prompt,
            "tools": agent.tools,
            "allowedTools": agent.allowed_tools or [],
            "disallowedTools": agent.disallowed_tools or [],
            "permissionMode": agent.permission_mode or defaults.PERMISSION_MODE,
            "maxTurns": agent.max_turns,
            "effort": agent.effort,
            "outputSchema": agent.output_schema,
            "subagents": [
                {"name": one.name, "description": one.description, "prompt": one.prompt, "tools": one.tools, "model": one.model}
                for one in agent.subagents or ()
            ],
            "mcpServers": [_server(index, server) for index, server in enumerate(agent.mcp_servers or ())],
            "repository": {
                "instructions": defaults.REPOSITORY_INSTRUCTIONS if agent.repository.instructions is None else agent.repository.instructions,
                "settings": defaults.REPOSITORY_SETTINGS if agent.repository.settings is None else agent.repository.settings,
            },
        },
        "files": [
            {
                "path": file.path,
                "content": file.content,
                "file": None if file.content is not None else f"{INPUTS}/files/{index}",
                "mode": defaults.FILE_MODE if file.mode is None else file.mode,
            }
            for index, file in enumerate(seen.resolved.workspace.files or ())
        ],
        "git": _git(seen),
        "continue": _continue(seen),
        "timeoutSeconds": max(1, round(seen.resolved.timeout - seen.active_seconds)),
        "graceSeconds": GRACE_SECONDS - 5,
    }
    return orjson.dumps(document).decode()


def _reason(seen: Observed) -> str:
    """What the attempts before say about how to begin."""
    history = seen.status.get("history") or []
    if not any(policy(entry["reason"]).resumes for entry in history):
        return "Start"
    if history[-1]["outcome"] == SUCCEEDED:
        return "Again"
    return "Resume" if history[-1]["outcome"] == SUSPENDED else "Retry"


def _git(seen: Observed) -> dict[str, Any] | None:
    assert seen.resolved is not None
    git = seen.resolved.workspace.git
    if git is None:
        return None
    with_secret = "Token" if git.url.startswith(("https://", "http://")) else "SSHKey"
    auth = with_secret if git.secret_ref else "None"
    depth = defaults.GIT_DEPTH if git.depth is None else git.depth
    return {"url": git.url, "ref": git.ref, "depth": depth or None, "auth": auth}


def _continue(seen: Observed) -> dict[str, Any] | None:
    assert seen.spec is not None
    if seen.spec.continue_from is None or seen.source is None:
        return None
    return {"conversation": conversation(seen.source.uid), "workspace": seen.spec.continue_from.workspace}


def _server(index: int, server: MCPServer) -> dict[str, Any]:
    env, headers = server.env or [], server.headers or []
    return {
        "name": server.name,
        "type": server.type,
        "command": server.command,
        "args": server.args or [],
        "url": server.url,
        "required": bool(server.required),
        "env": {item.name: _value(item, variable) for item, variable in zip(env, variables(index, env), strict=True)},
        "headers": {item.name: _value(item, variable) for item, variable in zip(headers, variables(index, headers, len(env)), strict=True)},
    }


def variables(index: int, items: list[EnvVar] | list[Header], offset: int = 0) -> list[str]:
    """Names of the container's variables that carry the secret values of one MCP server."""
    return [f"STINT_MCP_{index}_{offset + number}" for number in range(len(items))]


def _value(item: EnvVar | Header, variable: str) -> dict[str, str]:
    return {"fromEnv": variable} if item.value_from else {"value": item.value or ""}
