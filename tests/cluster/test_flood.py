"""Ten thousand sessions at once, as a list that somebody applies by mistake: all are told how they stand, and nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cluster.bed import Bed
from cluster.controllers import controllers
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


def lives(bed: Bed) -> dict[str, int]:
    """Restarts of each controller, by the uid of its pod."""
    return {pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in controllers(bed)}


def test_ten_thousand_sessions_are_each_told_how_they_stand_and_keep_nobody_waiting(bed: Bed, namespace: str, flooded: str) -> None:
    before = lives(bed)
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
    assert lives(bed) == before
