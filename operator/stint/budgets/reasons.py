"""Every reason that budgets give, to sessions and of themselves: one constant each, used by condition, Event, metric and docs."""

from __future__ import annotations

# To sessions
BUDGET_FULL = "BudgetFull"
BUDGET_REJECTED = "BudgetRejected"
EXCEEDS_BUDGET = "ExceedsBudget"
BUDGET_SPENT = "BudgetSpent"

# Of budgets
COUNTING = "Counting"
UNKNOWN_TIME_ZONE = "UnknownTimeZone"
LIMIT_REACHED = "LimitReached"
ROOM_LEFT = "RoomLeft"
BUDGET_WARNING = "BudgetWarning"
USAGE_NOT_WRITTEN = "UsageNotWritten"
