"""Uninstalling leaves the user's objects and nothing that hangs. It takes Stint away and puts it back."""

from __future__ import annotations

from cluster.bed import ADMISSION, SYSTEM, VALUES, WEBHOOKS, Bed
from cluster.sessions import finished, script, session


def test_uninstalling_releases_finalizers_and_keeps_sessions(bed: Bed, namespace: str) -> None:
    item = bed.kube.create(session(namespace, "kept", script({"text": "hi"})))
    finished(bed, item)
    bed.kube.patch("AgentSession", namespace, "kept", {"metadata": {"finalizers": ["stint.dev/settlement", "example.com/other"]}})
    bed.helm("uninstall", "stint", "-n", SYSTEM, "--wait", "--timeout", "120s")
    try:
        kept = bed.kube.get("AgentSession", namespace, "kept")
        assert kept["metadata"]["finalizers"] == ["example.com/other"]
        assert kept["status"]["phase"] == "Succeeded"
        for deployment in ("stint-controller", "stint-admission"):
            assert bed.kube.find("Deployment", SYSTEM, deployment) is None
        for kind in WEBHOOKS:
            assert bed.kube.find(kind, "", ADMISSION) is None, "it would block what nobody answers"
        bed.kube.create(session(namespace, "later", suspend=True))
    finally:
        bed.kube.patch("AgentSession", namespace, "kept", {"metadata": {"finalizers": None}})
        bed.install(*VALUES)
