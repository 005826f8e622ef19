"""`status` of a session: what it waits for, what it used, what came out, and its last attempts."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from stint.api.base import Model, Schema
from stint.api.common import AnyJSON, Condition
from stint.api.scalars import KIB, Amount, Count, Generation, Message, Word, integer, map_list, plain_list

Outcome = Literal["Succeeded", "Failed", "Suspended", "Cancelled", "Disrupted", "StartFailed"]

HISTORY = 10
"""How many attempts `status.history` holds."""
RESULT_TEXT = 4 * KIB
"""How many characters of the result's text `status.result.text` holds."""
MODELS = 32
"""How many models `status.usage.byModel` holds."""


class WaitingFor(Model):
    """Why nothing happens at the moment."""

    kind: Word | None = Field(None, description="Kind of what it waits for, such as ModelProvider or Pod.")
    name: Annotated[str, Schema(maxLength=253)] | None = Field(None, description="Its name.")
    reason: Word | None = Field(None, description="One CamelCase word for programs.")
    until: datetime | None = Field(None, description="When it may go on, if that is known.")


class Tokens(Model):
    """Requests, tokens and money, as the gateway beside the agent counted them."""

    requests: Count = Field(0, description="Requests to the model.")
    input_tokens: Count = Field(0, description="Tokens of input, without those of caches.")
    output_tokens: Count = Field(0, description="Tokens of output.")
    cache_read_tokens: Count = Field(0, description="Tokens of input read from the provider's cache.")
    cache_write_tokens: Count = Field(0, description="Tokens of input written to the provider's cache.")
    cost: Amount = Field("0", description="USD, by the prices of the ModelProvider.")


class ModelUsage(Tokens):
    """What one model used."""

    model: Annotated[str, Schema(maxLength=256, minLength=1)] = Field(description="Id of the model.")


class Usage(Tokens):
    """What the session used, all its attempts together."""

    turns: Count = Field(0, description="Turns of the conversation.")
    by_model: Annotated[list[ModelUsage], map_list("model", MODELS)] = Field([], description="The same per model.")
    estimated: bool = Field(False, description="Whether some of it could not be read from the gateway and was estimated, never too low.")


class SessionError(Model):
    """Why the session failed."""

    error_class: Word | None = Field(None, alias="class", description="One CamelCase word for programs, such as RateLimited.")
    message: Message | None = Field(None, description="A sentence for people.")
    api_status: Annotated[int, integer(100, 999)] | None = Field(None, description="HTTP status of the model API, if it was that.")
    resets_at: datetime | None = Field(None, description="When the rate limit that was reached is reset.")


class Result(Model):
    """What came out."""

    text: Annotated[str, Schema(maxLength=RESULT_TEXT)] | None = Field(
        None, description="The agent's last words, up to 4 KiB. The whole is in the log of the pod."
    )
    structured: AnyJSON = Field(None, description="The output that matches spec.agent.outputSchema.")
    truncated: bool = Field(False, description="Whether something was cut.")
    error: SessionError | None = Field(None, description="Why the session failed.")


class Reserved(Model):
    """The most that the running attempt may use: what the session's limits left when it began, and no more than its budgets have reserved."""

    cost: Amount | None = Field(None, description="USD.")
    tokens: Count | None = Field(None, description="All tokens, caches included.")
    input_tokens: Count | None = Field(None, description="Tokens of input, without those of caches.")
    output_tokens: Count | None = Field(None, description="Tokens of output.")


class Attempt(Model):
    """One attempt: one pod."""

    attempt: Annotated[int, integer(0, 2**31 - 1)] = Field(description="Number of the attempt, from 1.")
    pod_name: Annotated[str, Schema(maxLength=253)] | None = Field(None, description="Its pod.")
    pod_uid: Word | None = Field(None, description="The pod's uid.")
    start: datetime | None = Field(None, description="When the pod was created.")
    end: datetime | None = Field(None, description="When it ended.")
    outcome: Outcome | None = Field(None, description="How it ended.")
    reason: Word | None = Field(None, description="Why, in one CamelCase word.")
    exit_code: Annotated[int, integer(-(2**31), 2**31 - 1)] | None = Field(None, description="Exit code of the agent container.")
    provider_error: Word | None = Field(
        None, description="Class of the provider's failure, if that was the last that the gateway heard of it; counted by its circuits."
    )
    requests: Count = Field(0, description="Requests to the model.")
    input_tokens: Count = Field(0, description="Tokens of input, without those of caches.")
    output_tokens: Count = Field(0, description="Tokens of output.")
    cache_read_tokens: Count = Field(0, description="Tokens of input read from the provider's cache.")
    cache_write_tokens: Count = Field(0, description="Tokens of input written to the provider's cache.")
    cost: Amount = Field("0", description="USD, by the prices of the ModelProvider.")
    estimated: bool = Field(False, description="Whether its usage was estimated.")


class SessionStatus(Model):
    """How far the session is."""

    phase: Word | None = Field(None, description="One word for people, computed from the conditions. Programs use the conditions.")
    conditions: Annotated[list[Condition], map_list("type", 16)] = Field(
        [], description="Admitted, Running, Suspended, Succeeded, Ready, Reconciling, Stalled and ToolsReady."
    )
    observed_generation: Generation | None = Field(None, description="The metadata.generation that this status was computed for.")
    observed_retry_request: datetime | None = Field(None, description="The spec.retryRequest that was last carried out.")
    session_id: Word | None = Field(None, description="Id of the conversation.")
    attempt: Annotated[int, integer(0, 2**31 - 1)] = Field(0, description="Number of the latest attempt; 0 before the first.")
    failures: Annotated[int, integer(0, 2**31 - 1)] = Field(0, description="Failed attempts that count against spec.retry.limit.")
    disruptions: Annotated[int, integer(0, 2**31 - 1)] = Field(0, description="Attempts lost to the cluster: eviction, node loss, preemption.")
    pod_name: Annotated[str, Schema(maxLength=253)] | None = Field(None, description="Pod of the running attempt.")
    pod_uid: Word | None = Field(None, alias="podUID", description="The pod's uid, once its agent has run.")
    start_time: datetime | None = Field(None, description="When the first attempt started.")
    completion_time: datetime | None = Field(None, description="When the session ended.")
    next_retry_time: datetime | None = Field(None, description="When the next attempt starts.")
    active_seconds: Count = Field(0, description="Time that the agent ran, all finished attempts together.")
    journaled_pods: Annotated[list[Word], plain_list(HISTORY)] | None = Field(
        None, description="Pods that nobody saw run, whose usage was found in the journal on the volume and is counted."
    )
    expired: bool | None = Field(
        None, description="Whether ttlSecondsAfterFinished has removed pods and volume of a session that a GitOps tool keeps."
    )
    volume_since: Annotated[int, integer(1, 2**31 - 1)] | None = Field(
        None, description="Number of the first attempt on the present volume, once an earlier volume was removed with its conversation."
    )
    reserved: Reserved | None = Field(
        None, description="The most that the running attempt may use: what spec.limits left when it began, no more than its budgets have reserved."
    )
    waiting_for: WaitingFor | None = Field(None, description="Why nothing happens at the moment.")
    usage: Usage = Field(Usage(), description="What the session used, all its attempts together.")
    result: Result | None = Field(None, description="What came out.")
    history: Annotated[list[Attempt], plain_list(HISTORY)] = Field([], description="The last 10 attempts, the oldest first.")
