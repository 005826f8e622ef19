"""Variables of the agent, and the names that users may not give them."""

from typing import Annotated

from pydantic import Field

from stint.api.base import Model, Rule, Schema
from stint.api.common import ValueSource
from stint.api.scalars import KIB, matching, never

RESERVED_ENV = "(?i)^(ANTHROPIC_|CLAUDE_|LD_|STINT_)|(?i)_PROXY$"
"""Names that would turn the agent away from its gateway, or pass for Stint's own. CEL cannot see into
`envFrom`: there they have to be dropped when the pod is made or the agent starts."""

NOT_RESERVED = never(
    RESERVED_ENV,
    "choose another name: those that begin with ANTHROPIC_, CLAUDE_, LD_ or STINT_ or end in _PROXY are reserved; "
    "endpoint and credential of the model belong in a ModelProvider",
)
ONE_VALUE = Rule("has(self.value) != has(self.valueFrom)", "give exactly one of value and valueFrom")

EnvName = Annotated[
    str,
    Schema(
        matching("^[A-Za-z_][A-Za-z0-9_]*$", "write a name of letters, digits and _ that does not begin with a digit"),
        NOT_RESERVED,
        maxLength=128,
        minLength=1,
    ),
]


class EnvVar(Model):
    """A variable: a value, or where the value comes from."""

    rules = (ONE_VALUE,)

    name: EnvName = Field(description="Name of the variable.")
    value: Annotated[str, Schema(maxLength=4 * KIB)] | None = Field(None, description="The value itself. Never put a secret here: use valueFrom.")
    value_from: ValueSource | None = Field(None, description="Take the value from a ConfigMap or Secret.")
