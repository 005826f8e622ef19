"""Every reason that providers give, to sessions and of themselves: one constant each, used by status, Event, metric and docs."""

from __future__ import annotations

# To sessions that wait
CIRCUIT_OPEN = "CircuitOpen"
WINDOW_REJECTED = "WindowRejected"
WINDOW_WARNING = "WindowWarning"

# Of providers, as Events; the three above as well
CIRCUIT_HALF_OPEN = "CircuitHalfOpen"
CIRCUIT_CLOSED = "CircuitClosed"
