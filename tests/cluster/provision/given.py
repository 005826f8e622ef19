"""A cluster of the user's. The tests put Stint into it, and take it and all else that they made out again; they change nothing that was there.

What is made for the tests outside of their own namespaces is known by the label of the namespace it is in, so that a run that was killed
leaves nothing that the next one would take for somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster.bed import OURS, OURS_SELECTOR, SYSTEM, own_namespace
from cluster.kube import Json
from demonstration.clusters import CRDS, remove_unused_kinds, uninstall
from demonstration.errors import CannotRunHere
from demonstration.tools import Tools, find

PULLING = "stint-test-images"
PATIENCE = "600s"  # the agent's image is some hundred MB


class Given:
    """`kubeconfig` may be empty or several files, as in KUBECONFIG; `context` may be empty for the current one."""

    def __init__(self, kubeconfig: str, context: str, environment: Mapping[str, str]) -> None:
        self._user = Tools(kubeconfig, context)
        self._environment = environment
        self._kept = ExitStack()
        self._kubeconfig: Path

    @property
    def kubeconfig(self) -> Path:
        return self._kubeconfig

    @property
    def node_selector(self) -> dict[str, str]:
        return {}

    def start(self) -> None:
        """Everything goes by a copy that holds this one context: it doesn't follow when the user changes to another one meanwhile."""
        with ExitStack() as stack:
            self._kubeconfig = Path(stack.enter_context(TemporaryDirectory(prefix="stint-test-"))) / "kubeconfig"
            self._kubeconfig.write_text(self._user.kubectl("config", "view", "--minify", "--flatten", "--raw"))
            refuse_foreign_install(self._tools())
            self._kept = stack.pop_all()

    def images(self, names: Iterable[str]) -> dict[str, str]:
        images = {name: self._environment[image_variable(name)] for name in names}
        tools = self._tools()
        tools.kubectl("delete", "namespace", PULLING, "--ignore-not-found", "--timeout=180s")  # that of an earlier call may not be gone yet
        tools.kubectl("apply", "-f", "-", stdin=json.dumps(pulling(images)))
        tools.kubectl("rollout", "status", "daemonset/images", "-n", PULLING, f"--timeout={PATIENCE}")
        tools.kubectl("delete", "namespace", PULLING, "--wait=false")
        return images

    def program(self, name: str) -> str:
        return find(name)

    def remove(self) -> list[str]:
        """The system namespace goes last: by its label the next run knows that the CRDs which a run that was killed has left are the tests'."""
        tools = self._tools()
        with self._kept:
            tools.kubectl("delete", "namespace", "-l", f"{OURS_SELECTOR},kubernetes.io/metadata.name!={SYSTEM}", "--timeout=180s")
            kinds = [crd for crd in CRDS if tools.get("crd", crd)]
            if kinds:
                tools.kubectl("delete", ",".join(kinds), "--all", "-n", SYSTEM, "--timeout=180s")
            uninstall(tools)
            left = remove_unused_kinds(tools)
            tools.kubectl("delete", "namespace", "-l", OURS_SELECTOR, "--timeout=180s")
        return [f"the CRDs are kept, because there are objects of these kinds: {', '.join(left)}"] if left else []

    def _tools(self) -> Tools:
        return Tools(str(self._kubeconfig))


def image_variable(name: str) -> str:
    """The environment variable that has the reference of an image."""
    return f"{name.upper()}_IMAGE"


def refuse_foreign_install(tools: Tools) -> None:
    """Somebody's Stint is not ours to change, let alone to remove."""
    system = tools.get("namespace", SYSTEM).get("metadata", {}).get("labels", {})
    if tools.get("crd", CRDS[0]) and not OURS.items() <= system.items():
        raise CannotRunHere(
            "Stint, or what is left of it, is in this cluster already, and the tests would change and remove it: give them another cluster."
        )


def pulling(images: Mapping[str, str]) -> Json:
    """A pod on every node that has each image once, so that no test waits for a download."""
    hardened = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    wait = ["python3", "-c", "import signal; signal.pause()"]
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": name, "image": reference, "command": wait, "securityContext": hardened} for name, reference in images.items()],
    }
    labels = {"app": "images"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return {
        "apiVersion": "v1", "kind": "List",
        "items": [
            own_namespace(PULLING),
            {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "images", "namespace": PULLING}, "spec": spec},
        ],
    }  # fmt: skip
