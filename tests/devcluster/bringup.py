"""Starts a cluster: files first, then one process that is the init of everything, then patience until pods can run.

binaries, images (cache) -> certificates, configurations -> cgroups -> namespaces
    -> images into the nodes | API server ready -> manifests -> nodes Ready -> DNS answers
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from devcluster import addons, cgroups, controlplane, kubeconfig, kwok, network, node
from devcluster.api import Api, ApiError
from devcluster.build import ensure_binaries
from devcluster.components import Component, Plan, Setup
from devcluster.errors import DevclusterError
from devcluster.images import NodeImages, ensure_system_images, read_archive
from devcluster.inspection import check_health, containerd_socket, ctr_command
from devcluster.namespaces import child_of, process_id, unshared
from devcluster.paths import HERE
from devcluster.progress import Progress
from devcluster.requirements import cni_folder, install_missing
from devcluster.state import Record, Shape, save
from devcluster.volumes import UNREACHABLE

READY_WITHIN = 180.0  # seconds, for each thing waited for; generous, because other builds may use the machine
POLL = 0.1  # seconds
KUBECONFIG_USERS = ("admin", "controller-manager", "scheduler", "kube-proxy", "volumes", "kwok")


def start(name: str, state: Path, shape: Shape, progress: Progress) -> Record:
    """Bring the cluster up in the empty folder `state`; the record is saved as soon as there is something to kill."""
    install_missing(progress)
    programs = ensure_binaries(progress)
    images = ensure_system_images(programs, progress) if shape.nodes else []
    with _listener() as listener:
        port: int = listener.getsockname()[1]
        _write_files(name, state, shape, programs, port)
        cgroups.create(name, shape.node_names)
        progress.say(f"starting {shape.describe()}")
        record = _spawn(state, shape, programs, listener, port)
    with Api(state / "kubeconfig") as api:
        _settle(state, record, shape, api, images, progress)
    record = replace(record, ready=True)
    save(state, record)
    return record


def _settle(state: Path, record: Record, shape: Shape, api: Api, images: list[Path], progress: Progress) -> None:
    """Load and apply what a new cluster needs, and wait until pods can run."""
    with ThreadPoolExecutor(max(1, shape.nodes)) as pool:
        loading = [pool.submit(_load_system_images, state, record, name, images) for name in shape.node_names]
        _wait("the API server", state, record, lambda: bool(api.get("/readyz")))
        progress.say("API server ready")
        kwok.create_nodes(api, shape)
        addons.apply_addons(api, shape.nodes)
        for result in loading:
            result.result()
    names = [*shape.node_names, *(f"kwok-{index}" for index in range(1, shape.kwok + 1))]
    _wait("the nodes", state, record, lambda: addons.nodes_ready(api, names))
    progress.say(f"{len(names)} node{'s' if len(names) > 1 else ''} ready")
    _wait("the default service account", state, record, lambda: addons.service_account_ready(api))
    if shape.nodes:
        _wait("cluster DNS", state, record, lambda: addons.dns_ready(api, shape.nodes))
        progress.say("cluster DNS ready")


def _listener() -> socket.socket:
    """The socket of the forwarder, in the machine's network, on a port that the kernel picks."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    return listener


def _write_files(name: str, state: Path, shape: Shape, programs: Path, port: int) -> None:
    from devcluster import pki  # loads a large library, which only this step needs

    addresses = [(network.node_name(index), network.node_ip(index)) for index in range(1, shape.nodes + 1)]
    pki.issue_all(state / "pki", addresses)
    for user in (*KUBECONFIG_USERS, *shape.node_names):
        kubeconfig.write(state / "pki" / f"{user}.kubeconfig", network.inner_server(), state / "pki", user)
    kubeconfig.write(state / "kubeconfig", f"https://127.0.0.1:{port}", state / "pki", "admin")
    (state / "resolv.conf").write_text(network.resolv_conf())
    (state / "volumes").mkdir(exist_ok=True)
    plugins = cni_folder()
    assert plugins is not None, "install_missing has checked it"
    components: list[Component] = controlplane.components(state, shape, programs)
    for index in range(1, shape.nodes + 1):
        node.write_config(name, state, index, programs, plugins, _snapshotter(state))
        components += node.components(state, index, programs)
    components += kwok.components(state, shape, programs)
    setup = Setup("control-plane", tmpfs=["/run"], sysctls=network.SYSCTLS, commands=network.commands(shape.nodes))
    Plan(str(state), str(state / "pki" / "ca.crt"), setup, components).write()


def _snapshotter(state: Path) -> str:
    """overlayfs can't be stacked on itself: where the state lies in a container's file system, layers are copied instead."""
    done = subprocess.run(["stat", "--file-system", "--format=%T", str(state)], capture_output=True, text=True, check=True)
    return "native" if done.stdout.strip() == "overlayfs" else "overlayfs"


def _spawn(state: Path, shape: Shape, programs: Path, listener: socket.socket, port: int) -> Record:
    """Start process 1 of the cluster, detached from us, with the listening socket as descriptor 3."""
    argv = unshared([sys.executable, "-m", "devcluster.supervisor", str(state / "supervisor.json")], network=True)
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": str(HERE.parent),
        "LANG": "C.UTF-8",
        # A cycle of the garbage collector over the API server's caches takes both cores for a while; where only figures count, memory is no concern.
        "GOGC": "200" if shape.nodes else "400",
    }
    log = str(state / "logs" / "init.log")
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
        (os.POSIX_SPAWN_DUP2, listener.fileno(), controlplane.LISTEN_FD),
    ]
    outer = process_id(os.posix_spawnp(argv[0], argv, environment, file_actions=actions, setsid=True))
    record = Record(shape, outer, outer, port, str(programs))
    save(state, record)
    deadline = time.monotonic() + 10
    while (init := child_of(outer.pid)) is None:
        if not outer.alive() or time.monotonic() > deadline:
            raise DevclusterError(f"The cluster's namespaces could not be made: {Path(log).read_text().strip()[-1000:]}")
        time.sleep(0.01)
    record = replace(record, init=process_id(init))
    save(state, record)
    return record


def _load_system_images(state: Path, record: Record, node_name: str, images: list[Path]) -> None:
    _wait(f"containerd of {node_name}", state, record, lambda: containerd_socket(state, record, node_name) is not None)
    store = NodeImages(node.folder_of(state, node_name), ctr_command(state, record, node_name))
    for image in images:
        store.load(read_archive(image))


def _wait(what: str, state: Path, record: Record, check: Callable[[], bool]) -> None:
    """Ask until `check` says yes; an API server that isn't there yet counts as no, a component that keeps dying ends the wait."""
    deadline = time.monotonic() + READY_WITHIN
    while True:
        try:
            if check():
                return
        except (ApiError, *UNREACHABLE):
            pass
        check_health(state, record)
        if time.monotonic() > deadline:
            raise DevclusterError(f"Waited {READY_WITHIN:.0f} s for {what} in vain: see the logs in {state}.")
        time.sleep(POLL)
