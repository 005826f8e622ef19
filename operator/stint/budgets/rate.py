"""How fast sessions may start: the generic cell rate algorithm (ITU-T I.371), which is a token bucket that needs one number.

A start is due every `window / limit` seconds. `_due` is when the next one would be due if all came in step; a start may come before that, by as much
as the burst allows. Whatever the clock does, nobody waits longer than after a full burst.
"""

from __future__ import annotations


class Rate:
    """Starts in one account."""

    __slots__ = ("_ahead", "_due", "_step")

    def __init__(self, limit: float, window: float, burst: int) -> None:
        """`window` in seconds."""
        self._step = window / limit
        self._ahead = burst * self._step
        self._due = float("-inf")

    def allowed_at(self, now: float) -> float:
        """When the next start is allowed: `now`, or later."""
        self._due = min(self._due, now + self._ahead)  # only a clock that has gone back makes a difference
        return max(now, self._due + self._step - self._ahead)

    def take(self, at: float) -> None:
        """A start at this moment; starts come in the order of time, or late. One that nobody should have allowed counts as the last of a burst."""
        self._due = max(self._due, min(max(self._due, at) + self._step, at + self._ahead))
