"""The commands of the operator image: ``stint controller``, ``stint admission``, ``stint gateway``, ``stint release-finalizers``."""

from __future__ import annotations

import asyncio
import signal
import sys

USAGE = "usage: stint controller | admission | gateway | release-finalizers"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; imports come late, because the gateway must start at once and stay small."""
    words = sys.argv[1:] if arguments is None else arguments
    match words:
        case ["controller"]:
            import uvloop

            from stint.main import controller
            from stint.settings import settings
            from stint.telemetry.logs import setup

            setup(settings().log_level)
            return uvloop.run(controller())
        case ["admission"]:
            import uvloop

            from stint.admission.main import admission
            from stint.settings import settings
            from stint.telemetry.logs import setup

            setup(settings().log_level)
            return uvloop.run(admission())
        case ["gateway"]:
            # Process 1 ignores a SIGTERM that nobody handles, and imports take a moment.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            from stint.gateway.app import main as gateway

            return gateway()
        case ["release-finalizers"]:
            from stint.finalizers import release_all

            return asyncio.run(release_all())
        case _:
            print(USAGE, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
