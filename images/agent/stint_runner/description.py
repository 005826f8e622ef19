"""What the runner is to do: `run.json`, read once and turned into values that the rest can trust.

A wrong document is a fault of the controller or of a hand-made pod, so the sentence names the field; nothing is guessed.
"""

import json
import re
from dataclasses import dataclass

from . import VERSION
from .errors import INPUT_INVALID, Failed
from .fields import Fields

REASONS = ("Start", "Retry", "Resume", "Again")
AUTHS = ("APIKey", "AuthToken", "SetupToken")
GIT_AUTHS = ("None", "Token", "SSHKey")

_ADDRESS = re.compile(r"http://([\w.-]+|\[[0-9a-fA-F:]+\]):\d+")


@dataclass(frozen=True)
class Setting:
    """A value of an MCP server: literal, or the name of a variable of this container that holds it."""

    value: str | None
    from_env: str | None


@dataclass(frozen=True)
class McpServer:
    name: str
    type: str
    command: str | None
    args: tuple[str, ...]
    url: str | None
    required: bool
    env: tuple[tuple[str, Setting], ...]
    headers: tuple[tuple[str, Setting], ...]


@dataclass(frozen=True)
class Subagent:
    name: str
    description: str
    prompt: str
    tools: tuple[str, ...] | None
    model: str | None


@dataclass(frozen=True)
class Agent:
    model: str
    fallback_models: tuple[str, ...]
    system_prompt: str | None
    append_system_prompt: str | None
    tools: tuple[str, ...] | None
    allowed_tools: tuple[str, ...]
    disallowed_tools: tuple[str, ...]
    permission_mode: str
    max_turns: int | None
    effort: str | None
    output_schema: dict[str, object] | None
    subagents: tuple[Subagent, ...]
    mcp_servers: tuple[McpServer, ...]
    repository_instructions: bool
    repository_settings: bool


@dataclass(frozen=True)
class File:
    path: str
    content: str | None
    file: str | None
    mode: int


@dataclass(frozen=True)
class Git:
    url: str
    ref: str | None
    depth: int | None
    auth: str


@dataclass(frozen=True)
class Continue:
    conversation: str
    workspace: bool


@dataclass(frozen=True)
class Description:
    attempt: int
    reason: str
    conversation: str
    fork_from: str | None
    prompt: str | None
    prompt_file: str | None
    auth: str
    gateway: str
    agent: Agent
    files: tuple[File, ...]
    git: Git | None
    continue_from: Continue | None
    timeout_seconds: float | None
    grace_seconds: float


def read_description(path: str) -> Description:
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise Failed(INPUT_INVALID, f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise Failed(INPUT_INVALID, f"{path} is not JSON: {error}") from None
    return parse_description(document)


def parse_description(document: object) -> Description:
    fields = Fields.of(document, "run.json")
    version = fields.whole("version")
    if version != VERSION:
        raise Failed(INPUT_INVALID, f"run.json has version {version}, this runner reads version {VERSION}: use images of one release")
    description = Description(
        attempt=fields.whole("attempt"),
        reason=fields.choice("reason", REASONS),
        conversation=fields.identifier("conversation"),
        fork_from=fields.identifier("forkFrom") if fields.has("forkFrom") else None,
        prompt=fields.text_or_none("prompt"),
        prompt_file=fields.text_or_none("promptFile"),
        auth=fields.choice("auth", AUTHS),
        gateway=fields.text("gateway"),
        agent=_agent(fields.child("agent")),
        files=tuple(_file(each) for each in fields.children("files")),
        git=_git(fields.child("git")) if fields.has("git") else None,
        continue_from=_continue(fields.child("continue")) if fields.has("continue") else None,
        timeout_seconds=fields.number("timeoutSeconds") if fields.has("timeoutSeconds") else None,
        grace_seconds=fields.number("graceSeconds"),
    )
    if not _ADDRESS.fullmatch(description.gateway):
        raise fields.wrong("gateway", "http://host:port is needed")
    if (description.prompt is None) == (description.prompt_file is None):
        raise fields.wrong("prompt", "exactly one of prompt and promptFile is needed")
    return description


def _agent(fields: Fields) -> Agent:
    repository = fields.child("repository")
    return Agent(
        model=fields.text("model"),
        fallback_models=fields.texts("fallbackModels"),
        system_prompt=fields.text_or_none("systemPrompt"),
        append_system_prompt=fields.text_or_none("appendSystemPrompt"),
        tools=fields.texts("tools") if fields.has("tools") else None,
        allowed_tools=fields.texts("allowedTools"),
        disallowed_tools=fields.texts("disallowedTools"),
        permission_mode=fields.text("permissionMode"),
        max_turns=fields.whole("maxTurns") if fields.has("maxTurns") else None,
        effort=fields.text_or_none("effort"),
        output_schema=fields.mapping("outputSchema") if fields.has("outputSchema") else None,
        subagents=tuple(_subagent(each) for each in fields.children("subagents")),
        mcp_servers=tuple(_mcp_server(each) for each in fields.children("mcpServers")),
        repository_instructions=repository.flag("instructions"),
        repository_settings=repository.flag("settings"),
    )


def _subagent(fields: Fields) -> Subagent:
    return Subagent(
        name=fields.text("name"),
        description=fields.text("description"),
        prompt=fields.text("prompt"),
        tools=fields.texts("tools") if fields.has("tools") else None,
        model=fields.text_or_none("model"),
    )


def _mcp_server(fields: Fields) -> McpServer:
    server = McpServer(
        name=fields.text("name"),
        type=fields.text("type"),
        command=fields.text_or_none("command"),
        args=fields.texts("args"),
        url=fields.text_or_none("url"),
        required=fields.flag("required"),
        env=_settings(fields, "env"),
        headers=_settings(fields, "headers"),
    )
    wanted = "command" if server.type == "stdio" else "url"
    if getattr(server, wanted) is None:
        raise fields.wrong(wanted, f"a server of type {server.type} needs it")
    return server


def _settings(fields: Fields, name: str) -> tuple[tuple[str, Setting], ...]:
    if not fields.has(name):
        return ()
    return tuple((key, _setting(Fields.of(value, f"{fields.path}.{name}.{key}"))) for key, value in fields.mapping(name).items())


def _setting(fields: Fields) -> Setting:
    setting = Setting(value=fields.text_or_none("value"), from_env=fields.text_or_none("fromEnv"))
    if (setting.value is None) == (setting.from_env is None):
        raise fields.wrong("value", "exactly one of value and fromEnv is needed")
    return setting


def _file(fields: Fields) -> File:
    file = File(path=fields.text("path"), content=fields.text_or_none("content"), file=fields.text_or_none("file"), mode=fields.whole("mode"))
    if (file.content is None) == (file.file is None):
        raise fields.wrong("content", "exactly one of content and file is needed")
    return file


def _git(fields: Fields) -> Git:
    return Git(
        url=fields.text("url"),
        ref=fields.text_or_none("ref"),
        depth=fields.whole("depth") if fields.has("depth") else None,
        auth=fields.choice("auth", GIT_AUTHS),
    )


def _continue(fields: Fields) -> Continue:
    return Continue(conversation=fields.identifier("conversation"), workspace=fields.flag("workspace"))
