"""From the description to the CLI's arguments, environment and files: pure, so that every rule about what may reach the CLI is tested.

- Whatever a user wrote is passed as `--flag=value`, so it cannot become a flag; long texts go into files.
- Nobody sits at a keyboard: what would prompt is denied (`--permission-prompts=none`), and tools that only make sense in a session
  that lives on after its answer are off.
- Settings of the user, of the repository and of an earlier attempt are not read (`--setting-sources=`), MCP servers come from the
  description alone, and the endpoint is the host's business (`CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST`), whatever a settings file says.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .description import Agent, Description, McpServer, Setting, Subagent
from .errors import INPUT_INVALID, Failed
from .paths import Paths
from .prompts import guidance

PLACEHOLDERS = {
    "APIKey": "ANTHROPIC_API_KEY",
    "AuthToken": "ANTHROPIC_AUTH_TOKEN",
    "SetupToken": "CLAUDE_CODE_OAUTH_TOKEN",
}
PLACEHOLDER = "placeholder-the-gateway-holds-the-credential"

CLI = "/usr/local/bin/claude"
"""Not looked up: `PATH` is the user's, and may lead into the workspace."""

MAX_RETRIES = "4"
"""Tries of the CLI itself; longer troubles are the operator's, which waits without a pod."""

NEVER_TOOLS = ("ScheduleWakeup",)
"""A session ends with its answer, so nothing would ever wake it."""

_DROPPED = re.compile(r"(?:STINT_|ANTHROPIC_|CLAUDE_|KUBERNETES_|LD_|BUN_).*|CLAUDECODE|IS_SANDBOX|AI_AGENT|(?:https?|all|no)_proxy", re.IGNORECASE)


@dataclass(frozen=True)
class Command:
    """`files` are to be written into the scratch folder before the start, as mode 0600; the secret one goes when the CLI has read it."""

    argv: tuple[str, ...]
    env: dict[str, str]
    files: dict[str, str]


MCP_FILE = "mcp.json"


def build(
    description: Description,
    environ: Mapping[str, str],
    paths: Paths,
    scratch: str,
    *,
    resume: bool,
    repository_text: tuple[str, str] | None,
) -> Command:
    """`scratch` is where `files` will be; `resume` tells whether this session's own conversation is there to go on with."""
    agent = description.agent
    files: dict[str, str] = {}
    argv = [
        environ.get("STINT_CLI", CLI),
        "--print",
        "--verbose",
        "--input-format=stream-json",
        "--output-format=stream-json",
        "--permission-prompts=none",
        f"--permission-mode={'manual' if agent.permission_mode == 'default' else agent.permission_mode}",
        f"--setting-sources={'project' if agent.repository_settings else ''}",
        "--strict-mcp-config",
        f"--model={agent.model}",
        *_conversation(description, resume),
        *_tools(agent),
    ]

    def add(flag: str, name: str, content: str) -> None:
        files[name] = content
        argv.append(f"--{flag}={scratch}/{name}")

    if agent.fallback_models:
        argv.append(f"--fallback-model={','.join(agent.fallback_models)}")
    if agent.max_turns is not None:
        argv.append(f"--max-turns={agent.max_turns}")
    if agent.effort is not None:
        argv.append(f"--effort={agent.effort}")
    if agent.output_schema is not None:
        argv.append(f"--json-schema={_json(agent.output_schema)}")
    if agent.system_prompt is not None:
        add("system-prompt-file", "system-prompt.txt", agent.system_prompt)
    appended = [agent.append_system_prompt] if agent.append_system_prompt else []
    if repository_text is not None:
        appended.append(guidance(*repository_text))
    if appended:
        add("append-system-prompt-file", "append-system-prompt.txt", "\n\n".join(appended))
    if agent.subagents:
        add("agents", "agents.json", _json({each.name: _subagent(each) for each in agent.subagents}))
    if agent.mcp_servers:
        add("mcp-config", MCP_FILE, _json({"mcpServers": {each.name: _mcp_server(each, environ) for each in agent.mcp_servers}}))
    return Command(tuple(argv), _environment(description, environ, paths), files)


def wants_repository_text(agent: Agent) -> bool:
    """With the repository's settings on, the CLI reads its CLAUDE.md itself; twice would be once too often."""
    return agent.repository_instructions and not agent.repository_settings


def _conversation(description: Description, resume: bool) -> list[str]:
    if resume:
        return [f"--resume={description.conversation}"]
    if description.fork_from is not None:
        return [f"--resume={description.fork_from}", "--fork-session", f"--session-id={description.conversation}"]
    return [f"--session-id={description.conversation}"]


def _tools(agent: Agent) -> list[str]:
    argv = [f"--disallowed-tools={','.join((*agent.disallowed_tools, *NEVER_TOOLS))}"]
    if agent.tools is not None:
        argv.append(f"--tools={','.join(agent.tools)}")
    if agent.allowed_tools:
        argv.append(f"--allowed-tools={','.join(agent.allowed_tools)}")
    return argv


def _subagent(subagent: Subagent) -> dict[str, object]:
    document: dict[str, object] = {"description": subagent.description, "prompt": subagent.prompt}
    if subagent.tools is not None:
        document["tools"] = list(subagent.tools)
    if subagent.model is not None:
        document["model"] = subagent.model
    return document


def _mcp_server(server: McpServer, environ: Mapping[str, str]) -> dict[str, object]:
    if server.type == "stdio":
        return {"type": "stdio", "command": server.command, "args": list(server.args), "env": _values(server.env, server, environ)}
    return {"type": server.type, "url": server.url, "headers": _values(server.headers, server, environ)}


def _values(settings: tuple[tuple[str, Setting], ...], server: McpServer, environ: Mapping[str, str]) -> dict[str, str]:
    return {key: _value(setting, server, environ) for key, setting in settings}


def _value(setting: Setting, server: McpServer, environ: Mapping[str, str]) -> str:
    if setting.from_env is None:
        return setting.value or ""
    if setting.from_env not in environ:
        raise Failed(INPUT_INVALID, f"MCP server {server.name}: the variable {setting.from_env} of the container is not set")
    return environ[setting.from_env]


def _environment(description: Description, environ: Mapping[str, str], paths: Paths) -> dict[str, str]:
    """The container's environment without what belongs to the runner, to the cluster, or could move the CLI's traffic; then our own."""
    secrets = {setting.from_env for server in description.agent.mcp_servers for _, setting in (*server.env, *server.headers)}
    kept = {name: value for name, value in environ.items() if name not in secrets and not _DROPPED.fullmatch(name)}
    ours = {
        "HOME": paths.home,
        "TMPDIR": paths.tmp,
        "CLAUDE_CONFIG_DIR": paths.config,
        "ANTHROPIC_BASE_URL": description.gateway,
        PLACEHOLDERS[description.auth]: PLACEHOLDER,
        "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": environ.get("STINT_MAX_RETRIES", MAX_RETRIES),
        "API_TIMEOUT_MS": environ.get("API_TIMEOUT_MS", "600000"),
        # A session ends with its answer: commands and subagents run to their end before it, and nothing is left to be notified of.
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        "CLAUDE_CODE_DISABLE_CRON": "1",
        # Memories of an earlier attempt are text that nobody reviewed.
        "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
        # The runner waits for the servers itself, and knows which of them matter.
        "CLAUDE_CODE_MCP_STARTUP_WAIT_MS": "100",
        "DISABLE_AUTOUPDATER": "1",
        **_trusted_repository(kept, paths),
    }
    if description.agent.repository_settings and not description.agent.repository_instructions:
        ours["CLAUDE_CODE_DISABLE_CLAUDE_MDS"] = "1"
    return {"LANG": "C.UTF-8", "SHELL": "/bin/bash", **kept, **ours}


def _trusted_repository(kept: Mapping[str, str], paths: Paths) -> dict[str, str]:
    """git refuses a repository whose top folder belongs to somebody else, and the root of a volume belongs to root."""
    count = int(kept["GIT_CONFIG_COUNT"]) if kept.get("GIT_CONFIG_COUNT", "").isdecimal() else 0
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": "safe.directory",
        f"GIT_CONFIG_VALUE_{count}": paths.workspace,
    }


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False)
