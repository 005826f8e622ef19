"""Makes a fresh clone ready to work in: the Python environment, and the Debian packages that building images needs.

Runs with any Python from 3.11 on and the standard library only, because it runs before there is anything else. Quick when nothing is to do.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from steps import Steps

REPO = Path(__file__).resolve().parent.parent
ENVIRONMENT = REPO / ".venv"
LOCK = REPO / "requirements-dev.lock"
STAMP = ENVIRONMENT / ".ready"
OLDEST = (3, 11)
SOURCE_ROOTS = ("operator", "tests", "images/agent", "images/mockapi")
# Program and the package that brings it; what the embedded cluster needs it installs itself when it starts.
PROGRAMS = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "unshare": "util-linux", "chroot": "coreutils", "tar": "tar"}
DEBIAN_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class SetupError(Exception):
    """Something the user can act on; the text is whole sentences that say how."""


def main() -> int:
    steps = Steps()
    try:
        if sys.version_info < OLDEST:
            raise SetupError(f"Stint needs Python 3.11 or newer, and this is {sys.version.split()[0]}: `make PYTHON=/path/to/python3 setup`.")
        install_packages(steps)
        make_environment(steps)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


def make_environment(steps: Steps) -> None:
    """The virtual environment with exactly what the lock file says, unless it is that already."""
    wanted = state(LOCK.read_bytes())
    if works() and STAMP.exists() and STAMP.read_text() == wanted:
        STAMP.touch()
        return
    if not works():
        with steps.step("making the Python environment .venv", usually="5 s"):
            create(steps)
    with steps.step("installing Python packages", usually="1 min at first"):
        command = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement", str(LOCK)]
        call([str(python()), *command], "Installing the Python packages failed")
    import_path().write_text("".join(f"{REPO / root}\n" for root in SOURCE_ROOTS))
    STAMP.write_text(wanted)


def state(lock: bytes) -> str:
    """What the stamp says when the environment fits the lock file, this checkout and this script."""
    return hashlib.sha256(b"\n".join([lock, str(REPO).encode(), *(root.encode() for root in SOURCE_ROOTS)])).hexdigest()


def create(steps: Steps) -> None:
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], capture_output=True, text=True, check=False)
    if made.returncode and "ensurepip" in made.stdout + made.stderr and can_install():
        install(["python3-venv"], steps)
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        made = subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], capture_output=True, text=True, check=False)
    if made.returncode:
        raise SetupError(
            f"{sys.executable} can't make a virtual environment: install its venv module (Debian: apt-get install python3-venv). "
            f"It said:\n{(made.stdout + made.stderr).strip()[-1000:]}"
        )


def works() -> bool:
    """Is there an environment whose Python still runs and is new enough?"""
    if not python().exists():
        return False
    asked = subprocess.run([str(python()), "-c", f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"], capture_output=True, check=False)
    return asked.returncode == 0


def python() -> Path:
    return ENVIRONMENT / "bin/python"


def import_path() -> Path:
    """A .pth file: `python -m devcluster`, `-m stint`, `-m mockapi` work without PYTHONPATH."""
    (site_packages,) = (ENVIRONMENT / "lib").glob("python3*/site-packages")
    return site_packages / "stint-checkout.pth"


def install_packages(steps: Steps) -> None:
    """Debian packages for building images, where they can be installed and are of use."""
    missing = {package for program, package in PROGRAMS.items() if not shutil.which(program)}
    if shutil.which("apt-get") and not DEBIAN_KEYS.exists():
        missing.add("debian-archive-keyring")
    if not missing or not sys.platform.startswith("linux") or kind_is_there():
        return
    if can_install():
        install(sorted(missing), steps)
    else:
        names = " ".join(sorted(missing))
        steps.say(f"not installed, because that takes root and apt-get: {names}. Unit tests work; images and the embedded cluster do not.")


def kind_is_there() -> bool:
    """Docker builds the images and kind runs the cluster: nothing is missing then."""
    if not (shutil.which("docker") and shutil.which("kind")):
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: list[str], steps: Steps) -> None:
    names = " ".join(packages)
    with steps.step(f"installing {names}", usually="30 s"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environment, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        call(command, f"apt-get could not install {names}: install them by hand", environment)


def call(command: list[str], problem: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SetupError(f"{problem}. It said:\n{(done.stdout + done.stderr).strip()[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
