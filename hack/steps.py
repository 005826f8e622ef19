"""What the long commands tell while they work: each step by name, how long it usually takes, and how long it took.

Goes to stderr: stdout holds what scripts want.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Steps:
    """Prints steps, each with the seconds since the start in front."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        """One line."""
        print(f"{self.seconds():6.1f} s  {text}", file=sys.stderr, flush=True)

    def seconds(self) -> float:
        """Seconds since the first step."""
        return time.monotonic() - self._start

    @contextmanager
    def step(self, text: str, usually: str) -> Iterator[None]:
        """Announce a step before it begins, and its duration when it is done; `usually` is what it takes on two cores."""
        self.say(f"{text} (usually {usually}) …")
        start = time.monotonic()
        yield
        self.say(f"{text}: done in {time.monotonic() - start:.1f} s")
