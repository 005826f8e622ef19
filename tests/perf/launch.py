"""Starts the controller as its image does: ``python -m perf.launch [PROFILE]``.

The environment of a developer has packages that the image lacks, and Kopf imports Kubernetes clients that it finds, which costs 50 MB: they are
hidden. With a file name, cProfile writes there what the process did.
"""

from __future__ import annotations

import cProfile
import sys

NOT_IN_THE_IMAGE = ("kubernetes", "pykube", "kubernetes_asyncio")


def main() -> int:
    for name in NOT_IN_THE_IMAGE:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to say: there is no such module
    from stint.__main__ import main as stint

    if len(sys.argv) < 2:
        return stint(["controller"])
    profile = cProfile.Profile()
    try:
        return profile.runcall(stint, ["controller"])
    finally:
        profile.dump_stats(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
