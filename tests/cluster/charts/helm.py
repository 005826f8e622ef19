"""Helm, and how to find one's way in what it renders."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.paths import cache_root

CHARTS = Path(__file__).parents[3] / "charts"
NAMESPACE = "stint-system"
KUBERNETES = "1.36.0"
KEEP = "helm.sh/resource-policy"

Manifest = dict[str, Any]


def find_helm() -> str:
    """HELM, the PATH, or what the embedded cluster has built. Never skipped: a chart that nobody renders is broken sooner or later."""
    built = sorted((cache_root() / "bin").glob("all-*/helm"), key=lambda path: path.lstat().st_mtime)
    for candidate in (os.environ.get("HELM"), shutil.which("helm"), str(built[-1]) if built else None):
        if candidate:
            return candidate
    pytest.fail("no helm found: set HELM to its path, put it into PATH, or run `make demo`, which builds it for the embedded cluster")


class Helm:
    """`helm template` with folders of its own, so that no plug-in or repository of the user's plays a part."""

    def __init__(self, folder: Path) -> None:
        self._program = find_helm()
        self._folder = folder
        homes = {f"HELM_{name}_HOME": str(folder / name) for name in ("CACHE", "CONFIG", "DATA")}
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "KUBECONFIG": str(folder / "none"), **homes}

    def run(self, *arguments: str, values: dict[str, Any] | None = None, kubernetes: str = KUBERNETES) -> subprocess.CompletedProcess[str]:
        given = self._folder / "values.json"
        given.write_text(json.dumps(values or {}))
        command = [self._program, *arguments, "--namespace", NAMESPACE, "--kube-version", kubernetes, "--values", str(given)]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120, check=False)

    def template(self, chart: str, values: dict[str, Any] | None = None, kubernetes: str = KUBERNETES) -> list[Manifest]:
        done = self.run("template", chart, str(CHARTS / chart), values=values, kubernetes=kubernetes)
        assert done.returncode == 0, done.stderr
        return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]

    def refusal(self, chart: str, values: dict[str, Any]) -> str:
        done = self.run("template", chart, str(CHARTS / chart), values=values)
        assert done.returncode != 0, "these values were accepted"
        return done.stderr

    def notes(self, chart: str, values: dict[str, Any] | None = None) -> str:
        """NOTES.txt, which `helm template` leaves out, wrapped into an object of a copy of the chart."""
        copy = self._folder / "notes" / chart
        shutil.copytree(CHARTS / chart, copy, dirs_exist_ok=True)
        text = (copy / "templates" / "NOTES.txt").read_text()
        (copy / "templates" / "_notes.tpl").write_text('{{ define "notes" }}' + text + "{{ end }}")
        (copy / "templates" / "notes.yaml").write_text('notes: {{ include "notes" . | toJson }}\n')
        done = self.run("template", chart, str(copy), "--show-only", "templates/notes.yaml", values=values)
        assert done.returncode == 0, done.stderr
        found: str = yaml.safe_load(done.stdout)["notes"]
        return found


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [manifest for manifest in of_kind(manifests, kind) if manifest["metadata"]["name"] == name]
    return found


def is_hook(manifest: Manifest) -> bool:
    return "helm.sh/hook" in manifest["metadata"].get("annotations", {})


def pod_templates(manifests: list[Manifest]) -> Iterator[Manifest]:
    for manifest in manifests:
        if manifest["kind"] in ("Deployment", "Job", "DaemonSet", "StatefulSet", "CronJob"):
            yield manifest["spec"]["template"]


def environment(manifests: list[Manifest]) -> dict[str, str]:
    (container,) = named(manifests, "Deployment", "stint-controller")["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}
