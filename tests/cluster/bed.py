"""What the tests on a cluster stand on: a cluster, Stint installed by its chart, and the mock API that plays the model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.kube import Json, Kube
from devcluster import Cluster

ROOT = Path(__file__).parents[2]
SYSTEM, MOCK = "stint-system", "mock"
KEY = "sk-test-the-one-true-key"
MOCK_URL = f"http://mockapi.{MOCK}.svc:8080"


@dataclass
class Mock:
    """The mock API, reached through the API server's proxy."""

    kube: Kube

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.kube.raw(method, f"/api/v1/namespaces/{MOCK}/services/mockapi:8080/proxy/_mock/{path}", body)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.data[:300]!r}"
        return json.loads(answer.data) if answer.data else None

    def session(self, conversation: str) -> Json:
        """Totals of one conversation, by the id that the CLI sends: requests, usage, cost."""
        found: Json = self.ask("GET", f"sessions/{conversation}")
        return found

    def requests(self, conversation: str, at_least: int = 0, seconds: int = 20) -> list[Json]:
        """What one conversation sent; waits until there are so many."""
        found: list[Json] = self.ask("GET", f"requests?session={conversation}&atleast={at_least}&timeout={seconds}")
        assert len(found) >= at_least, found
        return found

    def wait_at_gate(self, name: str, count: int = 1, seconds: int = 25) -> None:
        """Until so many requests wait at a gate."""
        self.ask("GET", f"gates/{name}?waiting={count}&timeout={seconds}")

    def open_gate(self, name: str) -> None:
        self.ask("PUT", f"gates/{name}")


@dataclass
class Bed:
    """Everything a test needs."""

    cluster: Cluster
    kube: Kube
    mock: Mock
    images: dict[str, str]

    @property
    def kubeconfig(self) -> Path:
        return Path(self.cluster.kubeconfig)

    def helm(self, *arguments: str) -> str:
        return self._tool("helm", *arguments)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self._tool("kubectl", *arguments, stdin=stdin)

    def _tool(self, name: str, *arguments: str, stdin: str | None = None) -> str:
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run([str(Path(self.cluster.bin) / name), *arguments], input=stdin, text=True, capture_output=True, env=env, check=False)
        assert done.returncode == 0, f"{name} {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done.stdout

    def install(self, *values: str) -> None:
        """Install or change Stint: the chart, as a user would."""
        values = ('controller.nodeSelector={"kubernetes.io/hostname":"node1"}', *values)  # tests take node2 away
        sets = [part for value in values for part in ("--set-json", value)]
        for name in ("operator", "agent"):
            repository, tag = self.images[name].rsplit(":", 1)
            sets += ["--set-string", f"images.{name}.repository={repository},images.{name}.tag={tag}"]
        self.helm(
            "upgrade", "--install", "stint", str(ROOT / "charts/stint"), "-n", SYSTEM, "--create-namespace", "--wait", "--timeout", "120s", *sets
        )

    def namespace(self, secret: bool = True) -> str:
        """A namespace of its own that enforces Pod Security `restricted`."""
        name = f"t-{uuid.uuid4().hex[:8]}"
        labels = {"pod-security.kubernetes.io/enforce": "restricted", "stint-test": "true"}
        self.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        if secret:
            self.kube.create(
                {
                    "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "anthropic", "namespace": name},
                    "stringData": {"api-key": KEY},
                }
            )  # fmt: skip
        return name


def build_images() -> dict[str, tuple[str, Path]]:
    """Name → reference and archive; takes a second when nothing changed."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "hack/images.py"), "build"], stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT
    )  # fmt: skip
    assert done.returncode == 0, "the images could not be built; see above"
    return {name: (built["reference"], Path(built["archive"])) for name, built in json.loads(done.stdout).items()}
