"""Ten thousand sessions at once, as a list that somebody applies by mistake: all are told how they stand, and nobody else notices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from cluster.bed import SYSTEM, Bed
from cluster.sessions import finished, reason, script, session

FLOOD = 10_000


def controller(bed: Bed) -> tuple[str, int]:
    """Uid and restarts of the controller's pod."""
    [pod] = bed.kube.list("Pod", SYSTEM, "app.kubernetes.io/component=controller")
    return pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]


def test_ten_thousand_sessions_are_each_told_how_they_stand_and_keep_nobody_waiting(bed: Bed, namespace: str) -> None:
    before = controller(bed)
    flooded = bed.namespace()
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(lambda number: bed.kube.create(session(flooded, f"flood-{number}", suspend=True)), range(FLOOD)))
    item = bed.kube.create(session(namespace, "other", script({"text": "not in their way"})))
    assert finished(bed, item)["status"]["result"]["text"] == "not in their way"
    told = bed.kube.each("AgentSession", flooded, lambda one: reason(one) == "Suspended", FLOOD, 300)
    assert len(told) == FLOOD
    assert bed.kube.list("Pod", flooded) == []
    assert controller(bed) == before
    bed.kube.delete("Namespace", "", flooded)
    bed.kube.until("Namespace", "", flooded, lambda _: False, seconds=300, gone=True)
