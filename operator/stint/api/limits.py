"""`spec.limits` and `spec.retry`: when a session ends at the latest, and what happens when an attempt fails."""

from typing import Annotated

from pydantic import Field

from stint.api.base import Model, Rule
from stint.api.scalars import Duration, Minutes, Money, integer

MOST_TOKENS = 10**12


class Limits(Model):
    """The most that a session may use, all its attempts together."""

    cost: Money | None = Field(None, description='USD, as a decimal string such as "2.50". The model is refused once it is used up.')
    tokens: Annotated[int, integer(1, MOST_TOKENS)] | None = Field(
        None, description="Tokens of input and output, caches included. The model is refused once they are used up."
    )
    timeout: Duration | None = Field(
        None, description="Time that the agent may run, all attempts together; time spent waiting or suspended does not count. Default 1h."
    )
    start_timeout: Minutes | None = Field(
        None, description="Time for a pod to start (image, volume, node) before the attempt counts as failed. Default 5m."
    )


class Backoff(Model):
    """How long to wait between attempts."""

    rules = (
        Rule(
            "!has(self.initial) || !has(self.max) || duration(self.initial) <= duration(self.max)",
            "initial may not be longer than max: shorten initial or lengthen max",
            path=".initial",
        ),
    )

    initial: Minutes | None = Field(
        None, description="Wait before the second attempt; three times as long if the model's API was overloaded or limited the rate. Default 10s."
    )
    factor: Annotated[int, integer(1, 10)] | None = Field(None, description="Every further wait is this many times longer. Default 2.")
    max: Minutes | None = Field(None, description="Longest wait. Default 10m.")


class Retry(Model):
    """What happens when an attempt fails."""

    limit: Annotated[int, integer(0, 20)] | None = Field(
        None,
        description="How many times a failed session is tried again. A pod that the cluster took away does not count, nor does a "
        "rate-limit window that has to be waited for. Default 2.",
    )
    backoff: Backoff = Field(Backoff(), description="How long to wait between attempts.")
