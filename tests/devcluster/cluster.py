"""The Python face of an embedded cluster, for tests and benchmarks; the command line is a thin layer above it."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from devcluster import audit, bringup, cgroups, inspection, kubeconfig, network, node, state, teardown
from devcluster.components import stopped_marker
from devcluster.errors import DevclusterError
from devcluster.images import NodeImages, read_archive
from devcluster.locking import locked
from devcluster.namespaces import in_network_with_names, process_id, wait_gone
from devcluster.paths import lock_file, state_of
from devcluster.progress import Progress
from devcluster.requirements import check_machine
from devcluster.state import Record, Shape

ENDS_WITHIN = 10.0  # seconds


class Cluster:
    """A cluster by name. Creating this object does nothing; all facts are read from the cluster's folder whenever they are asked for."""

    def __init__(self, name: str = "stint", quiet: bool = False) -> None:
        self.name = name
        self.folder = state_of(name)
        self._quiet = quiet

    # -- life

    def up(self, nodes: int = 1, kwok: int = 0, kwok_stages: Path | None = None) -> None:
        """Start it, unless it runs already. `nodes=0` with `kwok=N` makes a control plane with fake nodes only."""
        check_machine()
        shape = Shape(nodes, kwok, str(kwok_stages.resolve()) if kwok_stages else "")
        state.check_shape(shape)
        progress = Progress(self._quiet)
        with self._locked(progress):
            record = state.load(self.folder)
            if record and record.running() and record.ready:
                if record.shape != shape:
                    raise DevclusterError(f"Cluster {self.name} is up with {record.shape.describe()}: run down first, or choose another --name.")
                progress.say(f"cluster {self.name} is up already ({shape.describe()})")
                return
            teardown.remove(self.name, self.folder, progress)
            self.folder.mkdir(parents=True, mode=0o700)
            try:
                bringup.start(self.name, self.folder, shape, progress)
            except BaseException:
                self._end_keeping_logs()
                raise
            progress.say(f"cluster {self.name} is up")

    def down(self) -> None:
        """Remove it with everything that belongs to it; nothing happens if there is none."""
        check_machine()
        progress = Progress(self._quiet)
        with self._locked(progress):
            removed = teardown.remove(self.name, self.folder, progress)
        progress.say(f"cluster {self.name} is gone" if removed else f"there is no cluster {self.name}")

    def running(self) -> bool:
        """Whether it is up and was ready once."""
        record = state.load(self.folder)
        return record is not None and record.ready and record.running()

    def status(self) -> dict[str, Any]:
        """Everything there is to know, as JSON types."""
        record = state.load(self.folder)
        if record is None or not record.running():
            return {"name": self.name, "running": False, "ready": False}
        return {
            "name": self.name,
            "running": True,
            "ready": record.ready,
            "nodes": record.shape.node_names,
            "kwok": record.shape.kwok,
            "server": f"https://127.0.0.1:{record.port}",
            "kubeconfig": str(self.kubeconfig),
            "inner_kubeconfig": str(self.inner_kubeconfig),
            "audit_log": str(self.audit_log),
            "bin": record.programs,
            "folder": str(self.folder),
            "components": inspection.components(self.folder, record),
        }

    # -- files

    @property
    def kubeconfig(self) -> Path:
        """For use on this machine, outside the cluster's network: https://127.0.0.1:PORT."""
        return self.folder / "kubeconfig"

    @property
    def inner_kubeconfig(self) -> Path:
        """For use inside the cluster's network."""
        return self.folder / "pki" / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """JSON lines, one per write to the API; up to a second late."""
        return audit.log_file(self.folder)

    @property
    def bin(self) -> Path:
        """Folder with kubectl, helm, ctr, etcd, kwok and the rest."""
        return Path(self._record().programs)

    def user_kubeconfig(self, user: str, groups: Sequence[str] = ("system:masters",), inner: bool = True) -> Path:
        """A kubeconfig for a user of its own, so that the audit log tells whose writes are whose."""
        from devcluster import pki

        record = self._record()
        folder = self.folder / "pki"
        file = f"user-{user.replace('/', '-').replace(':', '-')}"
        pki.Authority(folder).issue(file, pki.Identity(user, tuple(groups)))
        server = network.inner_server() if inner else f"https://127.0.0.1:{record.port}"
        return kubeconfig.write(folder / f"{file}.{'inner' if inner else 'outer'}.kubeconfig", server, folder, file)

    # -- work

    def load(self, archive: Path) -> bool:
        """Import a docker-archive or oci-archive into every real node; False if all had it already."""
        record, image = self._record(), read_archive(archive.resolve())

        def load_into(name: str) -> bool:
            return NodeImages(node.folder_of(self.folder, name), inspection.ctr_command(self.folder, record, name)).load(image)

        running = [name for name in record.shape.node_names if inspection.node_init(self.folder, record, name)]
        if not running:
            raise DevclusterError(f"Cluster {self.name} has no running real node to load images into.")
        with ThreadPoolExecutor(len(running)) as pool:
            return any(list(pool.map(load_into, running)))

    def exec(self, argv: Sequence[str], env: Mapping[str, str] | None = None, **options: Any) -> "subprocess.CompletedProcess[Any]":
        """Run a program of this machine inside the cluster's network, where it reaches pods and Services by address and by name.

        KUBECONFIG and PATH are set; `options` are those of `subprocess.run`.
        """
        return subprocess.run(self.command(argv), env=self.environment(env), **options)

    def popen(self, argv: Sequence[str], env: Mapping[str, str] | None = None, **options: Any) -> "subprocess.Popen[Any]":
        """Like `exec`, but without waiting; the pid is that of the program itself."""
        return subprocess.Popen(self.command(argv), env=self.environment(env), **options)

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line that enters the cluster's network."""
        record = self._record()
        return in_network_with_names(f"/proc/{record.init.pid}/ns/net", self.folder / "resolv.conf", list(argv))

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The caller's environment with KUBECONFIG for the inside, the programs in PATH, and `extra`."""
        path = f"{self.bin}:{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "KUBECONFIG": str(self.inner_kubeconfig), "PATH": path, **(extra or {})}

    # -- trouble

    def signal(self, component: str, number: signal.Signals, node: str = "") -> None:
        """Send a signal to a component (`kube-apiserver`; `kubelet` with node="node2"). One that dies of it is started again."""
        os.kill(inspection.component_pid(self.folder, self._record(), component, node), number)

    def restart_component(self, component: str, node: str = "") -> None:
        """End a component with SIGTERM and wait until its successor runs."""
        record = self._record()
        old = process_id(inspection.component_pid(self.folder, record, component, node))
        os.kill(old.pid, signal.SIGTERM)
        if not wait_gone(old, ENDS_WITHIN):
            os.kill(old.pid, signal.SIGKILL)
        deadline = time.monotonic() + ENDS_WITHIN
        while time.monotonic() < deadline:
            with suppress(DevclusterError):  # not running yet
                if inspection.component_pid(self.folder, record, component, node) != old.pid:
                    return
            time.sleep(0.05)
        raise DevclusterError(f"{component} did not start again within {ENDS_WITHIN:.0f} s: see its log below {self.folder}.")

    def kill_container(self, node: str, container: str) -> None:
        """SIGKILL to the first process of a container, by the id that its pod shows."""
        command = inspection.ctr_command(self.folder, self._record(), node)
        subprocess.run([*command, "tasks", "kill", "--signal", "SIGKILL", container.removeprefix("containerd://")], check=True, capture_output=True)

    def kill_node(self, name: str) -> None:
        """A power loss: kubelet, containerd and every container of the node end at once, and nothing starts again."""
        record = self._record()
        self._check_node(record, name)
        stopped_marker(self.folder, name).touch()
        init = inspection.node_init(self.folder, record, name)
        if init is not None:
            teardown.end(process_id(init))
        cgroups.reset_node(self.name, name)

    def start_node(self, name: str) -> None:
        """Switch a killed node on again; it boots with the disks it had."""
        record = self._record()
        self._check_node(record, name)
        stopped_marker(self.folder, name).unlink(missing_ok=True)
        os.kill(record.init.pid, signal.SIGHUP)

    # -- inner matters

    def _record(self) -> Record:
        record = state.load(self.folder)
        if record is None or not record.running():
            raise DevclusterError(f"Cluster {self.name} is not up: run `python -m devcluster up --name {self.name}`.")
        return record

    def _check_node(self, record: Record, name: str) -> None:
        if name not in record.shape.node_names:
            raise DevclusterError(f"Cluster {self.name} has no real node {name!r}: it has {', '.join(record.shape.node_names) or 'none'}.")

    def _locked(self, progress: Progress) -> Any:
        return locked(lock_file(f"cluster-{self.name}"), lambda: progress.say(f"another process starts or stops {self.name}: waiting …"))

    def _end_keeping_logs(self) -> None:
        record = state.load(self.folder)
        if record:
            teardown.end(record.init)
            teardown.end(record.outer)
