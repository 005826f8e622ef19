"""Many sessions at once: all succeed, and none waits for another."""

from __future__ import annotations

from cluster.bed import Bed
from cluster.sessions import assert_billed_what_was_served, finished, script, session

MANY = 50


def test_fifty_sessions_at_once_all_run_side_by_side(bed: Bed, namespace: str) -> None:
    gate = f"all-{namespace}"
    small = {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}}
    prompt = script({"until": {"gate": gate}, "text": "together"})
    items = [bed.kube.create(session(namespace, f"many-{number}", prompt, podTemplate=small)) for number in range(MANY)]
    bed.mock.wait_at_gate(gate, MANY, 480)  # every one of them has come as far as its model, none has answered yet
    bed.mock.open_gate(gate)
    for item in items:
        done = finished(bed, item, 120)
        assert (done["status"]["phase"], done["status"]["attempt"]) == ("Succeeded", 1)
        assert_billed_what_was_served(bed, done)
