"""Whether an agent may have run: only one that never ran is free."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json
from stint.sessions.evidence import has_run
from stint.sessions.pod_facts import PodFacts, vanished
from unit.sessions.builders import ago, ended_pod, facts, pod, running_pod, running_status, status

NEVER = pod(pod_status.starting())
LOST = pod(pod_status.lost_containers())
KILLED = pod(pod_status.status("Failed", agent=pod_status.terminated(137)))
BARE = pod(pod_status.status("Failed", reason="Evicted"))
UNSTARTED = pod(pod_status.status("Failed", agent=pod_status.terminated(128, reason="StartError")))
SEEN = running_status(1)

CASES: list[Any] = [
    pytest.param(facts(running_pod()), {}, True, id="it runs"),
    pytest.param(facts(ended_pod()), {}, True, id="it has ended"),
    pytest.param(facts(KILLED), {}, True, id="it was killed, kubelet does not know when it started"),
    pytest.param(facts(UNSTARTED), {}, False, id="the runtime could not start it"),
    pytest.param(facts(NEVER), {}, False, id="it waits"),
    pytest.param(facts(LOST), {}, False, id="kubelet lost a container that nobody saw run"),
    pytest.param(facts(LOST), SEEN, True, id="kubelet lost a container that the status saw run"),
    pytest.param(facts(BARE), {}, False, id="evicted before it began"),
    pytest.param(facts(BARE), SEEN, True, id="evicted after the status saw it run"),
    pytest.param(facts(NEVER), running_status(2), False, id="the status saw another attempt run"),
    pytest.param(facts(NEVER), status(attempt=1), False, id="the status knows the attempt, but did not see it run"),
    pytest.param(vanished(facts(NEVER)), {}, False, id="it disappeared before our eyes"),
    pytest.param(vanished(facts(NEVER), unwatched=True), {}, True, id="it disappeared from its node while nobody watched"),
    pytest.param(vanished(facts(pod(node="")), unwatched=True), {}, True, id="it disappeared while nobody watched, and may have found a node"),
    pytest.param(replace(facts(NEVER), containers=(replace(facts(ended_pod()).containers[1], exit_code=None, started=ago(5)),)), {}, True, id="started"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "before", "ran"), CASES)
def test_an_agent_may_have_run(one: PodFacts, before: Json, ran: bool) -> None:
    assert has_run(one, before) is ran
