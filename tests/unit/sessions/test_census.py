"""How sessions and pods are counted at a scrape."""

from __future__ import annotations

import pytest

from simulation import pod_status
from simulation.metrics_kit import scraped, series
from simulation.pod_status import Json, stamp
from stint.engine.cache import ObjectCache
from stint.sessions.census import Brief, SessionGauges, brief
from stint.sessions.pod_store import PodStore
from unit.sessions.builders import NOW, ago, condition, ended_pod, finished_status, pod, running_pod, running_status, session, status


def held(phase: str, reason: str, waited: float = 30) -> Json:
    since = ago(waited)
    return status(phase=phase, conditions=[condition("Admitted", "False", reason, since=since), condition("Ready", "False", reason)])


@pytest.mark.parametrize(
    ("found", "counted"),
    [
        pytest.param(None, Brief("Pending", "", stamp(ago(3600))), id="nobody has looked at it yet"),
        pytest.param(running_status(1), Brief("Running"), id="it runs"),
        pytest.param(finished_status(), Brief("Succeeded"), id="it has ended well"),
        pytest.param(finished_status("Failed"), Brief("Failed"), id="it has failed"),
        pytest.param(held("Waiting", "BudgetFull"), Brief("Waiting", "BudgetFull", stamp(ago(30))), id="it waits"),
        pytest.param(held("Stalled", "ExceedsBudget"), Brief("Stalled", "ExceedsBudget"), id="somebody has to act"),
        pytest.param(held("Suspended", "Suspended"), Brief("Suspended", "Suspended"), id="it is suspended"),
        pytest.param(
            status(phase="Pending", waitingFor={"kind": "Pod", "reason": "Unschedulable"}),
            Brief("Pending", "Unschedulable", stamp(ago(3600))),
            id="its pod does not start",
        ),
    ],
)
def test_a_session_counts_by_its_phase_and_by_what_holds_it(found: Json | None, counted: Brief) -> None:
    assert brief(session(status=found)) == counted


def test_a_scrape_says_how_many_there_are_and_how_long_the_oldest_has_waited() -> None:
    sessions = ObjectCache("AgentSession", brief)
    states = [None, held("Waiting", "BudgetFull", 100), held("Waiting", "BudgetFull", 700), held("Waiting", "SecretMissing", 5), finished_status()]
    for number, state in enumerate(states):
        sessions.put(session(status=state, name=f"s{number}", uid=f"u{number}"))
    gone = session(status=finished_status(), name="gone", uid="gone")
    sessions.put(gone)
    sessions.drop(gone)
    pods = PodStore(lambda key: None, sessions.holds, lambda uid, attempt: None)
    for item in (pod(pod_status.starting()), running_pod(2), ended_pod(number=3)):
        pods.take(item)

    found = scraped(SessionGauges(sessions, pods, lambda: NOW))

    assert found == {
        series("stint_sessions", phase="Pending", reason=""): 1,
        series("stint_sessions", phase="Waiting", reason="BudgetFull"): 2,
        series("stint_sessions", phase="Waiting", reason="SecretMissing"): 1,
        series("stint_sessions", phase="Succeeded", reason=""): 1,
        series("stint_session_waiting_oldest_seconds", reason=""): 3600,
        series("stint_session_waiting_oldest_seconds", reason="BudgetFull"): 700,
        series("stint_session_waiting_oldest_seconds", reason="SecretMissing"): 5,
        series("stint_agent_pods", phase="Pending"): 1,
        series("stint_agent_pods", phase="Running"): 1,
    }
