"""AgentProfile: a reusable agent. A profile in the system namespace serves every namespace."""

from typing import Annotated

from pydantic import Field

from stint.api.agent import Agent
from stint.api.base import Model
from stint.api.common import Condition, LocalReference, Resource, short_name
from stint.api.limits import Limits, Retry
from stint.api.pod import PodTemplate
from stint.api.scalars import Generation, Text, Word, map_list
from stint.api.workspace import Workspace


class ProfileSpec(Model):
    """What sessions with this profile start from. A change counts for attempts that start after it."""

    description: Text | None = Field(None, description="What the profile is for, in a sentence.")
    agent: Agent = Field(Agent(), description="The agent: model, prompts, tools.")
    workspace: Workspace = Field(Workspace(), description="The folder that the agent works in.")
    limits: Limits = Field(Limits(), description="The most that a session may use, all its attempts together.")
    retry: Retry = Field(Retry(), description="What happens when an attempt fails.")
    provider_ref: LocalReference | None = Field(None, description="ModelProvider to use where the session names none.")
    pod_template: PodTemplate = Field(PodTemplate(), description="What users may shape of the agent pod.")


class ProfileStatus(Model):
    """What Stint makes of the profile."""

    observed_generation: Generation | None = Field(None, description="The metadata.generation that this status was computed for.")
    conditions: Annotated[list[Condition], map_list("type", 16)] = Field([], description="Ready, Reconciling and Stalled.")
    content_hash: Word | None = Field(None, description="SHA-256 of the spec, so that two profiles can be compared.")


class AgentProfile(Resource):
    """A reusable agent: model, prompts, tools, MCP servers, subagents, limits, pod template. A session names it in profileRef."""

    rules = (short_name("a profile"),)

    spec: ProfileSpec = Field(description="What sessions with this profile start from.")
    status: ProfileStatus = Field(ProfileStatus(), description="What Stint makes of the profile. Written by Stint only.")
