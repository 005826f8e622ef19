"""What `up` tells while it works: each long step by name, how long it usually takes, and how long it took.

Goes to stderr, so that stdout holds only what scripts want (a path, JSON).
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Prints steps with the seconds since the start; `quiet` keeps them to itself."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        """One line, with the seconds since the start in front."""
        if not self._quiet:
            print(f"{self.seconds():6.1f} s  {text}", file=sys.stderr, flush=True)

    def seconds(self) -> float:
        """Seconds since this progress began."""
        return time.monotonic() - self._start

    @contextmanager
    def step(self, text: str, usually: str = "") -> Iterator[None]:
        """Announce a long step before it begins, and its duration in seconds when it is done."""
        self.say(f"{text} (usually {usually}) …" if usually else f"{text} …")
        start = time.monotonic()
        yield
        self.say(f"{text}: done in {time.monotonic() - start:.1f} s")
