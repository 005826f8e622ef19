"""What the tests on a cluster stand on: a cluster, Stint installed by its chart, and the mock API that plays the model."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cluster.kube import Json, Kube
from cluster.provision.interface import AnyCluster

ROOT = Path(__file__).parents[2]
SYSTEM, MOCK, GIT = "stint-system", "stint-test-mock", "stint-test-git"
IMAGES = ("operator", "agent", "mockapi")
VALUES = (
    'controller.extraEnv=[{"name":"STINT_REFERENCE_RECHECK_SECONDS","value":"2"}]',
    f'networkPolicy.sessions.extraEgress=[{{"to":[{{"namespaceSelector":{{"matchLabels":{{"kubernetes.io/metadata.name":"{GIT}"}}}}}}]}}]',
)
"""What is set in the chart for all tests: quick re-checks, and a way to the git server where NetworkPolicies are enforced."""
WEBHOOKS, ADMISSION = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"), "stint-admission"
OURS = {"stint-test": "true"}
"""The label of namespaces that the tests made."""
OURS_SELECTOR = "stint-test=true"
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

    cluster: AnyCluster
    kube: Kube
    mock: Mock
    images: dict[str, str]

    def helm(self, *arguments: str) -> str:
        return self._tool("helm", *arguments)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self._tool("kubectl", *arguments, stdin=stdin)

    def kubectl_says(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints beside its answer: warnings."""
        return self._run("kubectl", *arguments, stdin=stdin).stderr

    def _tool(self, name: str, *arguments: str, stdin: str | None = None) -> str:
        return self._run(name, *arguments, stdin=stdin).stdout

    def _run(self, name: str, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig)}
        done = subprocess.run([self.cluster.program(name), *arguments], input=stdin, text=True, capture_output=True, env=env, check=False)
        assert done.returncode == 0, f"{name} {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done

    def install(self, *values: str) -> None:
        """Install or change Stint: the chart, as a user would."""
        values = (*(f"{part}.nodeSelector={json.dumps(self.cluster.node_selector)}" for part in ("controller", "admission")), *values)
        sets = [part for value in values for part in ("--set-json", value)]
        for name in ("operator", "agent"):
            sets += [part for field, value in chart_values(self.images[name]).items() for part in ("--set-string", f"images.{name}.{field}={value}")]
        self.ensure_namespace(SYSTEM)
        self.helm("upgrade", "--install", "stint", str(ROOT / "charts/stint"), "-n", SYSTEM, "--wait", "--timeout", "120s", *sets)
        for kind in WEBHOOKS:
            if self.kube.find(kind, "", ADMISSION) is not None:
                self.kube.until(kind, "", ADMISSION, lambda item: all(webhook["clientConfig"].get("caBundle") for webhook in item["webhooks"]))

    def ensure_namespace(self, name: str) -> None:
        """A namespace that goes with all else that the tests made."""
        if self.kube.find("Namespace", "", name) is None:
            self.kube.create(own_namespace(name))

    def namespace(self, secret: bool = True) -> str:
        """A namespace of its own that enforces Pod Security `restricted`."""
        name = f"t-{uuid.uuid4().hex[:8]}"
        self.kube.create(own_namespace(name, {"pod-security.kubernetes.io/enforce": "restricted"}))
        if secret:
            self.kube.create(
                {
                    "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "anthropic", "namespace": name},
                    "stringData": {"api-key": KEY},
                }
            )  # fmt: skip
        return name


def chart_values(reference: str) -> dict[str, str]:
    """An image as the chart wants it. A colon may also stand before a registry's port, so only one after the last slash ends the name."""
    path, _, digest = reference.partition("@")
    folder, slash, last = path.rpartition("/")
    name, _, tag = last.partition(":")
    return {"repository": f"{folder}{slash}{name}", "tag": tag or "latest", "digest": digest}


def own_namespace(name: str, labels: Mapping[str, str] = MappingProxyType({})) -> Json:
    """The manifest of a namespace that the tests may remove with all that is in it."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {**OURS, **labels}}}
