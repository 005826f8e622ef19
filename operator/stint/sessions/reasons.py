"""Every reason that a session can give: one constant, used by condition, Event, metric and docs. Grep one to find the code behind it.

Error classes of attempts come from the runner (docs/reference/pod-contract.md) and are used as reasons as they are.
"""

from __future__ import annotations

# Why it does not start
PROFILE_NOT_FOUND = "ProfileNotFound"
PROVIDER_NOT_FOUND = "ProviderNotFound"
SECRET_MISSING = "SecretMissing"  # noqa: S105
SECRET_KEY_MISSING = "SecretKeyMissing"  # noqa: S105
CONFIG_MAP_MISSING = "ConfigMapMissing"
CONFIG_MAP_KEY_MISSING = "ConfigMapKeyMissing"
SOURCE_NOT_FOUND = "SourceNotFound"
SOURCE_NOT_FINISHED = "SourceNotFinished"
SOURCE_HAS_NO_VOLUME = "SourceHasNoVolume"
INVALID_SPEC = "InvalidSpec"
INVALID_OUTPUT_SCHEMA = "InvalidOutputSchema"
BACKING_OFF = "BackingOff"
RESERVATION_USED = "ReservationUsed"
USAGE_NOT_CARRIED = "UsageNotCarried"
POD_REFUSED = "PodRefused"

# How it goes on
ADMITTED = "Admitted"
POD_PENDING = "PodPending"
POD_RUNNING = "PodRunning"
NODE_LOST = "NodeLost"
SUSPENDED = "Suspended"
IN_PROGRESS = "InProgress"
TOOLS_CONNECTED = "ToolsConnected"
TOOLS_DEGRADED = "ToolsDegraded"

# How an attempt or the session ended
COMPLETED = "Completed"
CANCELLED = "Cancelled"
START_TIMEOUT = "StartTimeout"
TIMEOUT = "Timeout"
BUDGET_REACHED = "BudgetReached"
OUTPUT_INVALID = "OutputInvalid"
AGENT_CRASHED = "AgentCrashed"
TOOLS_UNAVAILABLE = "ToolsUnavailable"
POD_DELETED = "PodDeleted"
POD_LOST = "PodLost"
EVICTED = "Evicted"
TOO_MANY_DISRUPTIONS = "TooManyDisruptions"
