"""Why an attempt failed: the classes of the contract, and the one exception that carries them.

The class decides what the controller does next (retry, wait, give up), so each is raised or derived in exactly one place.
"""

from dataclasses import dataclass

RATE_LIMITED = "RateLimited"
OVERLOADED = "Overloaded"
SERVER_ERROR = "ServerError"
PROVIDER_UNREACHABLE = "ProviderUnreachable"
AUTH_FAILED = "AuthFailed"
BILLING_FAILED = "BillingFailed"
INVALID_REQUEST = "InvalidRequest"
MODEL_NOT_FOUND = "ModelNotFound"
CONTEXT_TOO_LARGE = "ContextTooLarge"
BUDGET_REACHED = "BudgetReached"
MAX_TURNS = "MaxTurns"
OUTPUT_INVALID = "OutputInvalid"
TOOLS_UNAVAILABLE = "ToolsUnavailable"
TIMEOUT = "Timeout"
INPUT_INVALID = "InputInvalid"
CLONE_FAILED = "CloneFailed"
CONTINUE_FAILED = "ContinueFailed"
AGENT_CRASHED = "AgentCrashed"


@dataclass(frozen=True)
class Error:
    """`error` of the result. `resets_at` is a time in seconds since 1970, known only when a window of the provider was rejected."""

    kind: str
    message: str
    api_status: int | None = None
    resets_at: int | None = None


class Failed(Exception):
    """The attempt cannot go on; `error` says why."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.error = Error(kind, message)
