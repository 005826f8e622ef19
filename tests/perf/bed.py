"""A fresh cluster of fake nodes for one measurement: real API server, etcd, scheduler and controller manager, and pods that cost nothing.

with Bed("perf1", work) as bed:            # up, CRDs, rights, provider, Secret
    with Controller(bed.cluster, work):
        bed.settle()                       # one session to warm up, then silence
        run = bed.load(Scenario(…))
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from devcluster import Cluster
from perf.controller import ACCOUNT, ROOT
from perf.machine import CORES, used_seconds
from perf.manifests import NAMESPACE, SYSTEM, Json, Kind, namespace, provider, secret
from perf.processes import cpu_of, spent
from perf.scenario import Record, Scenario

NODES = 20
IDLE = 12.0
"""Seconds of silence before anything is measured: a new cluster is busy with itself."""
STAGES = Path(__file__).with_name("stages.yaml")
RIGHTS = ("templates/rbac-controller.yaml", "templates/serviceaccount.yaml")


@dataclass
class Loaded:
    """A load and what the processes of the cluster spent on it, in CPU seconds."""

    record: Record
    until_pods: dict[str, float] = field(default_factory=dict)
    until_done: dict[str, float] = field(default_factory=dict)
    others: float = 0.0
    """Share of all cores that went to other work until the last pod: the kernel's, and whatever else the machine runs."""


class Bed:
    """One cluster for one measurement."""

    def __init__(self, name: str, folder: Path, stages: Path = STAGES) -> None:
        self.cluster = Cluster(name, quiet=True)
        self.folder = folder
        self._stages = stages
        self._pids: dict[str, int] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cluster.down()
        self.cluster.up(nodes=0, kwok=NODES, kwok_stages=self._stages)
        try:
            self._furnish()
        except BaseException:
            self.cluster.down()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.cluster.down()

    def watch_process(self, name: str, pid: int) -> None:
        """Count this process's CPU as well."""
        self._pids[name] = pid

    def forget_process(self, name: str) -> None:
        """It is about to end."""
        self._pids.pop(name, None)

    def settle(self, kind: Kind) -> None:
        """One object of the load first, so that what is done once is done, then silence."""
        self.load(Scenario(kind, 1, "warm", until_done=True, seconds=60))
        time.sleep(IDLE)

    def load(self, scenario: Scenario, begin: Callable[[], object] = lambda: None) -> Loaded:
        """Carry a scenario out; ``begin`` is called when the generator is about to start."""
        found = Loaded(Record())
        before: dict[str, float] = {}
        used, begun = 0.0, 0.0
        command = self.cluster.command([sys.executable, "-m", "perf.load_generator"])
        environment = self.cluster.environment({"KUBECONFIG": str(self.cluster.user_kubeconfig("caller"))})
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as generator:
            assert generator.stdin is not None
            assert generator.stdout is not None
            pids = {**self._pids, "load generator": generator.pid}
            generator.stdin.write(json.dumps(asdict(scenario)))
            generator.stdin.close()
            try:
                for line in generator.stdout:
                    said = json.loads(line)
                    match said.get("event"):
                        case "begin":
                            before, used, begun = cpu_of(pids), used_seconds(), time.monotonic()
                            begin()
                        case "pods":
                            found.until_pods = spent(before, cpu_of(pids))
                            others = used_seconds() - used - sum(found.until_pods.values())
                            found.others = others / (time.monotonic() - begun) / CORES
                        case "done":
                            found.until_done = spent(before, cpu_of(pids))
                        case _:
                            found.record = Record(**said["record"])
            finally:
                generator.terminate()  # it has ended, unless we are being stopped
        if found.record.errors:
            raise RuntimeError(f"{scenario.kind} load failed: {'; '.join(found.record.errors[:3])}")
        return found

    def apply(self, *documents: Json) -> None:
        """`kubectl apply`, for what happens before the measurement."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
        self._kubectl("apply", "--server-side", "-f", "-", stdin=text)

    def apply_status(self, *documents: Json) -> None:
        """The same for the status of objects."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
        self._kubectl("apply", "--server-side", "--subresource=status", "-f", "-", stdin=text)

    def _furnish(self) -> None:
        components = self.cluster.status()["components"]
        self._pids = {row["name"]: row["pid"] for row in components if row["pid"] and row["name"] not in ("forwarder", "volumes")}
        self._kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
        self._kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        self.apply(namespace(SYSTEM), namespace(NAMESPACE))
        self.apply(*self._rights(), secret(), provider())

    def _rights(self) -> list[Json]:
        """Service account and roles, rendered from the chart."""
        shown = [part for template in RIGHTS for part in ("--show-only", template)]
        command = ["helm", "template", "stint", str(ROOT / "charts/stint"), "--namespace", SYSTEM, *shown]
        done = self.cluster.exec(command, capture_output=True, text=True, check=True)
        found = [document for document in yaml.safe_load_all(done.stdout) if document]
        assert any(document["kind"] == "ServiceAccount" and document["metadata"]["name"] == ACCOUNT for document in found)
        return found

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> None:
        done = self.cluster.exec(["kubectl", *arguments], input=stdin, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr or done.stdout}")
