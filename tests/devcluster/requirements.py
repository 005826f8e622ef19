"""What the machine must have: Linux, root, a few programs of the distribution and a few kernel modules.

Debian's packages are installed without asking when something is missing: the cluster is meant for throw-away machines and CI jobs.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from devcluster.errors import DevclusterError, UnsupportedMachine
from devcluster.progress import Progress

PACKAGES = {
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
}
CNI_PACKAGE = "containernetworking-plugins"
CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
CNI_PLUGINS = ("bridge", "host-local", "loopback", "portmap")
COMPILER_PACKAGES = ("gcc", "libc6-dev")
KERNEL_MODULES = ("overlay", "bridge", "br_netfilter", "veth", "nf_conntrack")


def check_machine() -> None:
    """Refuse machines that can't run the cluster."""
    if sys.platform != "linux":
        raise UnsupportedMachine("The embedded cluster runs on Linux only: use a Linux machine or virtual machine, or kind.")
    if os.geteuid() != 0:
        raise UnsupportedMachine("The embedded cluster must be started by root, because it makes namespaces and mounts: use sudo.")


def install_missing(progress: Progress) -> None:
    """Install what is missing of the distribution's programs, and load the kernel modules that some machines load on demand only."""
    missing = {package for program, package in PACKAGES.items() if not shutil.which(program)}
    if cni_folder() is None:
        missing.add(CNI_PACKAGE)
    if missing:
        install(sorted(missing), progress)
    if cni_folder() is None:
        raise DevclusterError(f"No CNI plugins ({', '.join(CNI_PLUGINS)}) in {', '.join(map(str, CNI_FOLDERS))}: install them there.")
    if shutil.which("modprobe"):
        for module in KERNEL_MODULES:  # one by one: a module that is built in is unknown on some systems
            subprocess.run(["modprobe", "--quiet", module], check=False)


def install_compiler(progress: Progress) -> None:
    """gcc, only for the first build of the pause image."""
    if not shutil.which("gcc"):
        install(COMPILER_PACKAGES, progress)


def cni_folder() -> Path | None:
    """Where the distribution keeps the CNI plugins, if all we need are there."""
    for folder in CNI_FOLDERS:
        if all((folder / plugin).exists() for plugin in CNI_PLUGINS):
            return folder
    return None


def install(packages: list[str] | tuple[str, ...], progress: Progress) -> None:
    """apt-get install, or a sentence that names what to install by hand."""
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise DevclusterError(f"These packages are needed and there is no apt-get to install them with: {names}. Install them by hand.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with progress.step(f"installing {names}", usually="20 s"):
        subprocess.run(["apt-get", "update", "-qq"], env=environment, capture_output=True, check=False)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DevclusterError(f"apt-get could not install {names}: install them by hand. It said:\n{done.stderr.strip()[-1000:]}")
