"""What pip is to install into an image: the part of requirements.lock that the image needs, for the image's Python and no other.

pip evaluates markers for the Python it runs on, not for the one it installs for; so they are evaluated here, and what is handed to pip
has none.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from packaging.markers import Marker
from packaging.utils import canonicalize_name

PYTHON = "3.13"  # the Python of both base images; the ABI of the wheels and the bytecode must fit it
NEWEST_GLIBC = 41  # trixie's
ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)\s*(?:;\s*(?P<marker>[^\\]+?))?\s*\\?$")


@dataclass(frozen=True)
class Pin:
    """One entry of a lock file."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    via: frozenset[str]

    def requirement(self) -> str:
        """The entry without its marker, as pip reads it."""
        return " \\\n    ".join([f"{self.name}=={self.version}", *(f"--hash={each}" for each in self.hashes)])


def parse(text: str) -> list[Pin]:
    """The entries of a lock file as `uv pip compile --generate-hashes` writes it."""
    pins: list[Pin] = []
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    for block in blocks:
        lines = block.splitlines()
        found = ENTRY.match(lines[0]) if lines else None
        if not found:
            continue
        hashes = re.findall(r"--hash=(\S+)", block)
        via = re.findall(r"^    #(?: via |   )([A-Za-z0-9._-]+)", block, flags=re.MULTILINE)
        pins.append(
            Pin(
                name=canonicalize_name(found["name"]),
                version=found["version"],
                marker=(found["marker"] or "").strip(),
                hashes=tuple(hashes),
                via=frozenset(canonicalize_name(each) for each in via),
            )
        )
    return pins


def needed_by(pins: Iterable[Pin], roots: Collection[str]) -> list[Pin]:
    """The pins of `roots` and of all they depend on, by the comments that say what brought an entry in."""
    everything = list(pins)
    wanted: set[str] = {canonicalize_name(root) for root in roots}
    missing = wanted - {pin.name for pin in everything}
    if missing:
        raise KeyError(f"not in requirements.lock: {', '.join(sorted(missing))}")
    while more := {pin.name for pin in everything if pin.name not in wanted and pin.via & wanted}:
        wanted |= more
    return [pin for pin in everything if pin.name in wanted]


def for_image(pins: Iterable[Pin], machine: str) -> list[Pin]:
    """The pins that hold on Linux, CPython and the image's Python version; `machine` is x86_64 or aarch64."""
    environment = {
        "implementation_name": "cpython",
        "implementation_version": f"{PYTHON}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{PYTHON}.0",
        "python_version": PYTHON,
        "sys_platform": "linux",
    }
    return [pin for pin in pins if not pin.marker or Marker(pin.marker).evaluate(environment)]


def pip_platforms(machine: str) -> list[str]:
    """The wheel tags that trixie can run, for pip's --platform."""
    oldest = 5 if machine == "x86_64" else 17
    modern = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC, oldest - 1, -1)]
    return [*modern, f"manylinux2014_{machine}", f"linux_{machine}"]
