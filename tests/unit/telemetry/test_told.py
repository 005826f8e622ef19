"""What others tell: leadership, admission, requests."""

from __future__ import annotations

import pytest

from simulation.metrics_kit import Grown, scraped, series
from stint.telemetry.admission import admission_decided
from stint.telemetry.define import Definitions
from stint.telemetry.leader import WhileLeading, set_leader
from stint.telemetry.metrics import admission, controller
from stint.telemetry.requests import NO_ANSWER, answered, resource_of


def test_who_leads_says_so() -> None:
    set_leader(True)
    assert scraped(controller.registry)[series("stint_leader")] == 1
    set_leader(False)
    assert scraped(controller.registry)[series("stint_leader")] == 0


def test_what_is_in_the_cluster_is_told_by_the_one_that_decides() -> None:
    made = Definitions("controller")
    made.gauge("stint_thing", "A thing.").set(5)
    gauges = WhileLeading(made.registry)
    set_leader(False)
    assert scraped(gauges) == {}
    set_leader(True)
    assert scraped(gauges) == {series("stint_thing"): 5}
    set_leader(False)


def test_an_answer_of_the_webhook_is_counted_and_timed() -> None:
    grown = Grown(admission)
    admission_decided("AgentSession", "Denied", "BudgetRejected", 0.02)
    assert grown("stint_admission_requests_total", kind="AgentSession", decision="Denied", reason="BudgetRejected") == 1
    assert grown("stint_admission_duration_seconds_bucket", kind="AgentSession", decision="Denied", le="0.025") == 1


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/api/v1/pods", ("pods", False)),
        ("/api/v1/namespaces/a/pods", ("pods", False)),
        ("/api/v1/namespaces/a/pods/b", ("pods", True)),
        ("/api/v1/namespaces/a/pods/b/log", ("pods/log", True)),
        ("/api/v1/namespaces", ("namespaces", False)),
        ("/api/v1/namespaces/a", ("namespaces", True)),
        ("/apis/stint.dev/v1alpha1/agentsessions", ("agentsessions", False)),
        ("/apis/stint.dev/v1alpha1/namespaces/a/agentsessions/b/status", ("agentsessions/status", True)),
        ("/version", ("", False)),
    ],
)
def test_a_path_is_known_by_its_resource_never_by_names(path: str, resource: tuple[str, bool]) -> None:
    assert resource_of(path) == resource


@pytest.mark.parametrize(
    ("method", "path", "params", "verb"),
    [
        ("GET", "/api/v1/pods", None, "list"),
        ("GET", "/api/v1/pods", {"limit": "1"}, "list"),
        ("GET", "/api/v1/namespaces/a/pods/b", None, "get"),
        ("POST", "/api/v1/namespaces/a/pods", None, "create"),
        ("PATCH", "/api/v1/namespaces/a/pods/b", None, "patch"),
        ("DELETE", "/api/v1/namespaces/a/pods/b", None, "delete"),
    ],
)
def test_a_request_is_counted_by_verb_resource_and_code(method: str, path: str, params: dict[str, str] | None, verb: str) -> None:
    grown = Grown()
    answered(method, path, params, 200, 0.02)
    answered(method, path, params, NO_ANSWER, 5)
    assert grown.all("stint_kubernetes_requests_total") == {("200", "pods", verb): 1, ("none", "pods", verb): 1}
    assert grown("stint_kubernetes_request_duration_seconds_count", verb=verb, resource="pods") == 2


def test_a_watch_is_counted_and_not_timed() -> None:
    grown = Grown()
    answered("GET", "/api/v1/pods", {"watch": "true"}, 200, 290)
    assert grown("stint_kubernetes_requests_total", verb="watch", resource="pods", code="200") == 1
    assert grown.all("stint_kubernetes_request_duration_seconds_count") == {}
