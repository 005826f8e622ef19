"""Builds the three images from the Dockerfiles under images/, with buildah or Docker, and remembers what it has built.

An image is a *stem* and a *code layer*:

    base ── tools, CLI, dependencies, user, entry point ──┃── our code, with its bytecode
    └──────────── stem: minutes or seconds ───────────────┘   └── code layer: a second

Both have a hash over their inputs. The tag of an image is the hash of both, so a tag never changes its meaning, and whoever asks for an
image that was built before gets it at once. When only code changed, no builder runs at all: the new layer is put on the old stem.

    images.py ── build.py ──┬── recipe.py      what goes into which image, and its hash
                            ├── stage.py       the build context: lock.py (pip), claude.py (npm)
                            ├── base.py        root file systems from Debian packages
                            ├── engines.py     runs buildah or Docker
                            └── store.py       layers by digest, archives, what may be forgotten
"""
