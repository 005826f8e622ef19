"""AgentSession: one Claude Code session, from its prompt to its result."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from stint.api.agent import Agent
from stint.api.base import Model, Rule, Schema
from stint.api.common import LocalReference, Resource, ValueSource
from stint.api.limits import Limits, Retry
from stint.api.pod import PodTemplate
from stint.api.scalars import KIB, at_most_bytes, integer
from stint.api.status import SessionStatus
from stint.api.workspace import Workspace

MUTABLE = ("suspend", "cancel", "limits", "ttlSecondsAfterFinished", "retryRequest")
"""What of a session's spec can be changed once it exists."""
FIXED = (
    "prompt",
    "promptFrom",
    "profileRef",
    "providerRef",
    "agent",
    "workspace",
    "retry",
    "continueFrom",
    "priority",
    "podTemplate",
)
"""What cannot. Written out, so that a new field has to be put into one list or the other."""


def _fixed(field: str) -> Rule:
    # At the level of the spec: a rule at the field itself is skipped when the field is added or removed. `self.?x == oldSelf.?x` says
    # the same, but the API server cannot estimate what that costs.
    return Rule(
        f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        f"{field} cannot be changed once the session exists: create a new session, with continueFrom to take up this conversation",
        path=f".{field}",
        reason="FieldValueForbidden",
    )


Prompt = Annotated[
    str,
    Schema(
        at_most_bytes(32 * KIB, "a prompt of more than 32 KiB belongs in a ConfigMap: name it in promptFrom.configMapKeyRef"),
        Rule("self.matches('[^[:space:]]')", "write what the agent is to do"),
        maxLength=64 * KIB,
    ),
]


class ContinueFrom(LocalReference):
    """An earlier session of the same namespace whose conversation this one takes up."""

    workspace: bool = Field(False, description="Copy the earlier session's workspace too.")


class SessionSpec(Model):
    """What the session is to do. Only suspend, cancel, limits, ttlSecondsAfterFinished and retryRequest can be changed later."""

    rules = (
        Rule("has(self.prompt) != has(self.promptFrom)", "give exactly one of prompt and promptFrom"),
        *(_fixed(field) for field in FIXED),
        Rule(
            "!oldSelf.?cancel.orValue(false) || self.?cancel.orValue(false)",
            "a cancelled session has ended for good: create a new session, with continueFrom to take up this conversation",
            path=".cancel",
            reason="FieldValueForbidden",
        ),
        Rule(
            "!self.?cancel.orValue(false) || !has(self.retryRequest) || (has(oldSelf.retryRequest) && self.retryRequest == oldSelf.retryRequest)",
            "a cancelled session cannot run once more: create a new session, with continueFrom to take up this conversation",
            path=".retryRequest",
            reason="FieldValueForbidden",
        ),
    )

    prompt: Prompt | None = Field(None, description="What the agent is to do (up to 32 KiB). Either this or promptFrom.")
    prompt_from: ValueSource | None = Field(None, description="Take the prompt from a ConfigMap or Secret. Either this or prompt.")
    profile_ref: LocalReference | None = Field(
        None,
        description="AgentProfile that this session is based on; what the session says itself wins. Looked up in the session's "
        "namespace, then in the system namespace.",
    )
    provider_ref: LocalReference | None = Field(
        None,
        description="ModelProvider to use. Default: the profile's, else the provider named default. Looked up in the session's "
        "namespace, then in the system namespace.",
    )
    agent: Agent = Field(Agent(), description="The agent: model, prompts, tools.")
    workspace: Workspace = Field(Workspace(), description="The folder that the agent works in.")
    limits: Limits = Field(
        Limits(), description="The most that the session may use, all its attempts together. A change counts from the next attempt."
    )
    retry: Retry = Field(Retry(), description="What happens when an attempt fails.")
    continue_from: ContinueFrom | None = Field(
        None, description="Take up the conversation of an earlier session, which must be finished or suspended and have a volume."
    )
    priority: Annotated[int, integer(-1000, 1000), Schema(default=0)] = Field(
        0, description="Sessions of a higher priority start first where sessions of the namespace wait for the same thing."
    )
    suspend: Annotated[bool, Schema(default=False)] = Field(
        False, description="Frees the pod and keeps the state; false again resumes the same conversation."
    )
    cancel: Annotated[bool, Schema(default=False)] = Field(False, description="Ends the session for good. Cannot be taken back.")
    ttl_seconds_after_finished: Annotated[int, integer(0, 2**31 - 1)] | None = Field(
        None, description="Deletes the session this many seconds after its end. Left out: never."
    )
    retry_request: datetime | None = Field(
        None,
        description="A date and time, such as 2026-11-21T10:00:00Z. A new one runs a finished session once more, in the same conversation.",
    )
    pod_template: PodTemplate = Field(PodTemplate(), description="What users may shape of the agent pod.")


class AgentSession(Resource):
    """One Claude Code session: prompt, agent, workspace, limits. It runs once to an end, like a Job, and can be suspended, resumed,
    cancelled and continued."""

    rules = (
        Rule(
            "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$')",
            "the name becomes part of the pod's name: use at most 52 lower-case letters, digits and dashes, no dots",
        ),
        Rule(
            "!has(self.spec.continueFrom) || self.spec.continueFrom.name != self.metadata.name",
            "a session cannot continue itself: name an earlier session",
            path=".spec.continueFrom.name",
        ),
    )

    spec: SessionSpec = Field(description="What the session is to do.")
    status: SessionStatus = Field(SessionStatus(), description="How far the session is. Written by Stint only.")
