"""`spec.agent`: which model, what it is told, which tools it has. The same in a session and in a profile."""

from typing import Annotated, Literal

from pydantic import Field

from stint.api.base import Model, Rule, Schema
from stint.api.common import FreeForm
from stint.api.env import EnvVar
from stint.api.mcp import MCPServer
from stint.api.scalars import KIB, Identifier, ModelName, at_most_bytes, integer, map_list, matching, set_list

PermissionMode = Literal["acceptEdits", "auto", "bypassPermissions", "dontAsk", "plan", "manual"]
Effort = Literal["low", "medium", "high", "xhigh", "max"]

Instructions = Annotated[
    str,
    Schema(
        at_most_bytes(16 * KIB, "a system prompt may have 16 KiB: put longer material into workspace.files and point to it"),
        maxLength=32 * KIB,
    ),
]
ToolName = Annotated[
    str,
    Schema(
        matching(
            "^[A-Za-z][-A-Za-z0-9_]*$",
            "write the name of a whole tool, such as Bash or Read; a pattern such as Bash(git *) belongs in allowedTools",
        ),
        maxLength=128,
        minLength=1,
    ),
]
ToolPattern = Annotated[
    str,
    Schema(
        matching("^[A-Za-z][-A-Za-z0-9_*]*([(].*[)])?$", "write one tool per item, such as Read or Bash(git *)"),
        maxLength=256,
        minLength=1,
    ),
]


class Subagent(Model):
    """A further agent that the session can delegate to, with a context of its own."""

    name: Identifier = Field(description="Name by which the agent calls it.")
    description: Annotated[str, Schema(maxLength=1024, minLength=1)] = Field(description="When to use it; the agent reads this to decide.")
    prompt: Annotated[str, Schema(maxLength=16 * KIB, minLength=1)] = Field(description="Its system prompt.")
    tools: Annotated[list[ToolName], set_list(64)] | None = Field(None, description="Tools it has. Left out: those of the session.")
    model: ModelName | None = Field(None, description="Its model. Left out: the session's.")


SUBAGENT_PROMPTS = Rule(
    f"self.map(agent, size(bytes(agent.prompt))).sum() <= {64 * KIB}",
    "prompts of subagents may have 64 KiB together: put longer material into workspace.files and point to it",
)


class Repository(Model):
    """How far the repository under work is trusted. It is untrusted text unless you say otherwise."""

    instructions: bool | None = Field(
        None, description="Hand the repository's CLAUDE.md to the agent, marked as the repository's own words. Default true."
    )
    settings: bool | None = Field(
        None,
        description="Also load the repository's own .claude settings, such as permissions. Its hooks and MCP servers stay off, and it cannot "
        "redirect the model's endpoint. Default false.",
    )


class Agent(Model):
    """The agent: model, prompts, tools."""

    rules = (
        Rule(
            "!has(self.model) || !has(self.fallbackModels) || !(self.model in self.fallbackModels)",
            "a model cannot be its own fallback: take it out of fallbackModels",
            path=".fallbackModels",
        ),
    )

    model: ModelName | None = Field(None, description="Full id of the model. Default: the provider's defaultModel.")
    fallback_models: Annotated[list[ModelName], set_list(5)] | None = Field(
        None, description="Models to use in this order when the model is overloaded."
    )
    system_prompt: Instructions | None = Field(None, description="Replaces the CLI's own system prompt (up to 16 KiB).")
    append_system_prompt: Instructions | None = Field(None, description="Added to the CLI's own system prompt (up to 16 KiB).")
    tools: Annotated[list[ToolName], set_list(128)] | None = Field(
        None, description="The tools that exist at all, such as Bash and Read. Left out: all of the CLI's tools; empty: none."
    )
    allowed_tools: Annotated[list[ToolPattern], set_list(128)] | None = Field(
        None, description="Tools, or patterns such as Bash(git *), that may be used without permission."
    )
    disallowed_tools: Annotated[list[ToolPattern], set_list(128)] | None = Field(
        None, description="Tools, or patterns such as Bash(rm *), that are always refused."
    )
    permission_mode: PermissionMode | None = Field(
        None, description="What happens when a tool needs permission. Default bypassPermissions, because the pod is the sandbox."
    )
    mcp_servers: Annotated[list[MCPServer], map_list("name", 16)] | None = Field(None, description="MCP servers that bring further tools.")
    subagents: Annotated[list[Subagent], map_list("name", 16, SUBAGENT_PROMPTS)] | None = Field(
        None, description="Agents that the session can delegate to."
    )
    output_schema: Annotated[FreeForm, Schema(minProperties=1)] | None = Field(
        None, description="JSON schema of the result. The session fails unless its output matches; it is then status.result.structured."
    )
    max_turns: Annotated[int, integer(1, 10_000)] | None = Field(None, description="Most turns of the conversation in one attempt.")
    effort: Effort | None = Field(None, description="How hard the model thinks. Default: the model's own.")
    env: Annotated[list[EnvVar], map_list("name", 64)] | None = Field(
        None, description="Variables that the agent and its tools see, secrets included: the agent can read and print them."
    )
    repository: Repository = Field(Repository(), description="How far the repository under work is trusted.")
