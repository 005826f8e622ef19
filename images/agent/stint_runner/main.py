"""Which of the three programs is meant. Each is imported only when it is: the agent is waiting."""

import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from .errors import CLONE_FAILED, CONTINUE_FAILED, Error, Failed

USAGE = "usage: python3 -m stint_runner [run|clone|continue]"


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    match list(arguments):
        case [] | ["run"]:
            from .run import run

            return run(environ)
        case ["clone"]:
            from .clone import clone

            return _init(clone, CLONE_FAILED, environ)
        case ["continue"]:
            from .continue_ import continue_

            return _init(continue_, CONTINUE_FAILED, environ)
    print(USAGE, file=sys.stderr)
    return 2


def _init(work: Callable[[Mapping[str, str]], None], kind: str, environ: Mapping[str, str]) -> int:
    """Run an init container's work; if it fails, its termination message says why."""
    from .paths import Paths
    from .result import init_message
    from .run import write_termination_message

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # process 1 would ignore it
    try:
        work(environ)
    except Failed as failed:
        error = failed.error
    except OSError as failure:
        error = Error(kind, str(failure))
    else:
        return 0
    print(f"{error.kind}: {error.message}", file=sys.stderr)
    write_termination_message(Paths.of(environ), init_message(error))
    return 1
