"""Ten thousand sessions at once, as a list that somebody applies by mistake: all are told how they stand, and nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cluster.bed import SYSTEM, Bed
from cluster.sessions import finished, reason, script, session

FLOOD = 10_000
UNDISTURBED = 45.0
"""Seconds that a session may take while the flood comes in. Two are usual, but the API server has its hands full with the test itself; in line
behind five thousand others it would take longer."""


@pytest.fixture
def flooded(bed: Bed) -> Iterator[str]:
    """A namespace for the flood. It is gone afterwards, so that no other test has to do with it."""
    name = bed.namespace()
    yield name
    bed.kube.delete("Namespace", "", name)
    bed.kube.until("Namespace", "", name, lambda _: False, seconds=300, gone=True)


def controller(bed: Bed) -> tuple[str, int]:
    """Uid and restarts of the controller's pod."""
    [pod] = bed.kube.list("Pod", SYSTEM, "app.kubernetes.io/component=controller")
    return pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]


def test_ten_thousand_sessions_are_each_told_how_they_stand_and_keep_nobody_waiting(bed: Bed, namespace: str, flooded: str) -> None:
    before = controller(bed)
    callers = ThreadPoolExecutor(8)
    try:
        flood = [callers.submit(bed.kube.create, session(flooded, f"flood-{number}", suspend=True)) for number in range(FLOOD)]
        # when half of it is there and more comes in
        flood[FLOOD // 2].result()
        item = bed.kube.create(session(namespace, "other", script({"text": "not in their way"})))
        assert finished(bed, item, UNDISTURBED)["status"]["result"]["text"] == "not in their way"
        for creation in flood:
            creation.result()
    finally:
        callers.shutdown(cancel_futures=True)
    # then
    told = bed.kube.each("AgentSession", flooded, lambda one: reason(one) == "Suspended", FLOOD, 300)
    assert len(told) == FLOOD
    assert bed.kube.list("Pod", flooded) == []
    assert controller(bed) == before
