"""`spec.agent.mcpServers`: servers that bring further tools."""

from typing import Annotated, Literal

from pydantic import Field

from stint.api.base import Model, Rule, Schema
from stint.api.common import ValueSource
from stint.api.env import ONE_VALUE, EnvVar
from stint.api.scalars import KIB, Identifier, map_list, matching, never, plain_list

ServerType = Literal["stdio", "http", "sse"]

HeaderName = Annotated[str, Schema(matching("^[-A-Za-z0-9_]+$", "write a header name of letters, digits, - and _"), maxLength=128, minLength=1)]
HeaderValue = Annotated[str, Schema(never("[\\r\\n]", "write the header's value on one line"), maxLength=4 * KIB)]
ServerURL = Annotated[
    str,
    Schema(
        matching(
            "^https?://[^/?#@\\s]+([/?#]\\S*)?$",
            "write an address such as https://host/path, without user and password: a token belongs in headers, taken from a Secret",
        ),
        maxLength=1024,
        minLength=1,
    ),
]


class Header(Model):
    """An HTTP header: a value, or where the value comes from."""

    rules = (ONE_VALUE,)

    name: HeaderName = Field(description="Name of the header.")
    value: HeaderValue | None = Field(None, description="The value itself. Never put a secret here: use valueFrom.")
    value_from: ValueSource | None = Field(None, description="Take the value from a ConfigMap or Secret.")


class MCPServer(Model):
    """A server of the Model Context Protocol that brings further tools."""

    rules = (
        Rule(
            "self.type != 'stdio' || (has(self.command) && !has(self.url) && !has(self.headers))",
            "a server of type stdio is a program: give it command (and args, env), not url or headers",
        ),
        Rule(
            "self.type == 'stdio' || (has(self.url) && !has(self.command) && !has(self.args) && !has(self.env))",
            "a server of type http or sse is on the network: give it url (and headers), not command, args or env",
        ),
    )

    name: Identifier = Field(description="Name of the server; its tools are mcp__<name>__<tool>.")
    type: ServerType = Field(description="stdio: a program in the agent container; http or sse: a server on the network.")
    command: Annotated[str, Schema(maxLength=1024, minLength=1)] | None = Field(None, description="Program to run; for stdio only.")
    args: Annotated[list[Annotated[str, Schema(maxLength=1024)]], plain_list(32)] | None = Field(
        None, description="Arguments of the program; for stdio only."
    )
    url: ServerURL | None = Field(None, description="Address of the server; for http and sse only.")
    headers: Annotated[list[Header], map_list("name", 16)] | None = Field(
        None, description="Headers of every request to the server; for http and sse only."
    )
    env: Annotated[list[EnvVar], map_list("name", 32)] | None = Field(
        None, description="Variables of the program, which the agent itself does not see; for stdio only."
    )
    required: bool | None = Field(
        None, description="Fail the attempt if the server does not connect. Otherwise the session goes on without it. Default false."
    )
