"""What sessions say to their provider's circuits and windows, and what they are told there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.engine.cache import ObjectCache
from stint.engine.keys import Key
from stint.engine.plan import Plan, Waiting
from stint.providers.circuit import GOOD, Probe
from stint.providers.passage import Blocked, Heard
from stint.providers.scope import Credential
from stint.providers.traffic import Traffic
from stint.sessions.gatehouse import Gatehouse
from stint.sessions.holds import hold
from stint.sessions.live import LiveReports
from stint.sessions.observed import Observed
from stint.sessions.passage import heard_of_provider, passage_of, told_by_history
from stint.sessions.plan import plan
from stint.sessions.pod_store import PodStore
from stint.sessions.reports import read_report
from unit.sessions.builders import (
    NAMESPACE,
    NOW,
    SETTINGS,
    UID,
    ago,
    ahead,
    attempt,
    ended_pod,
    observed,
    provider,
    running_pod,
    session,
    status,
)
from unit.sessions.kit import last_attempt, status_of

PROVIDER = Key("ModelProvider", NAMESPACE, "default")
OPEN = Blocked("CircuitOpen", "the circuit is open", ahead(30))
USED_UP = Blocked("WindowRejected", "the window is used up", ahead(900))


class Gate:
    """A gatehouse at one provider."""

    def __init__(self, **breaker: Any) -> None:
        cache = ObjectCache("ModelProvider")
        self.looks: list[Key] = []
        self.given = provider({"breaker": breaker} if breaker else {})
        cache.put(self.given)
        self.traffic = Traffic(cache, SETTINGS.system_namespace, self.looks.append, lambda: NOW)
        self.house = Gatehouse(self.traffic)

    def seen(self, item: Json | None = None, *pods: Json) -> Observed:
        return self.house.look(observed(item or session(), pods=pods, provider=self.given))

    def states(self) -> set[str]:
        road = self.traffic.road(PROVIDER)
        assert road is not None
        return {one.state for one in road.circuits.values()}


def report(answer: str | None, *, good: bool = False, windows: Json | None = None) -> str:
    first = "2026-11-21T09:58:00Z" if good else None
    return pod_status.report("0", lastAnswer=answer, firstGoodAnswer=first, windows=windows or {})


def rejected(seconds: float = 900) -> Json:
    return {"FiveHour": {"status": "Rejected", "utilization": 100, "resetsAt": stamp(ahead(seconds)), "seen": stamp(ago(10))}}


def failed(kind: str = "Overloaded", **more: Any) -> Json:
    return ended_pod(pod_status.failure(kind), report(kind), **more)


# What is heard of a provider


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (report("Overloaded"), "Overloaded"),
        (report("AuthFailed", good=True), "AuthFailed"),
        (report("RateLimited"), "RateLimited"),
        (report("RateLimited", windows=rejected()), ""),
        (report("RateLimited", windows=rejected(-5)), "RateLimited"),
        (report("Refused", good=True), GOOD),
        (report("Refused"), ""),
        (report("Good", good=True), GOOD),
        (report(None), ""),
        (report("BudgetReached"), ""),
        ("no report", ""),
    ],
)
def test_the_gateways_last_answer_is_the_witness(text: str, kind: str) -> None:
    assert heard_of_provider(read_report(text), NOW) == kind


@pytest.mark.parametrize(
    "told",
    [
        [], {"FiveHour": "full"}, {"FiveHour": {"status": "Full", "seen": stamp(NOW)}}, {"FiveHour": {"status": "Warning"}},
        {"../etc": {"status": "Warning", "seen": stamp(NOW)}}, {"x" * 49: {"status": "Warning", "seen": stamp(NOW)}},
    ],
)  # fmt: skip
def test_windows_that_cannot_be_read_are_left_out(told: Any) -> None:
    found = read_report(pod_status.report(windows=told))
    assert found is not None
    assert found.windows == ()


@pytest.mark.parametrize("figure", [True, -1, 1001, "92"])
def test_a_figure_that_is_none_is_unknown(figure: Any) -> None:
    found = read_report(pod_status.report(windows={"FiveHour": {"status": "Warning", "utilization": figure, "seen": stamp(NOW)}}))
    assert found is not None
    assert [window.utilization for window in found.windows] == [None]


def test_what_the_agent_says_of_itself_opens_nothing() -> None:
    gate = Gate(failures=1)
    gate.seen(session(), ended_pod(pod_status.failure("Overloaded"), report("Good", good=True)))
    assert gate.states() == set()


def test_a_failure_counts_once_however_often_it_is_looked_at() -> None:
    gate = Gate(failures=2)
    for _ in range(5):
        assert gate.seen(session(), failed()).blocked is None
    assert gate.states() == {"Closed"}
    gate.seen(session(uid="another"), failed("ServerError", owner="another", uid="p"))
    assert gate.states() == {"Open"}


def test_a_session_without_a_known_provider_says_and_asks_nothing() -> None:
    gate = Gate(failures=1)
    seen = observed(session(), pods=[failed()], no_provider=True)
    assert gate.house.look(seen) == seen
    waiting = observed(session(), no_provider=True)
    assert gate.house.passed(gate.house.look(waiting), Plan()) == Plan()


# What becomes of the session


def test_the_failure_stands_in_the_history_of_the_session() -> None:
    assert last_attempt(plan(Gate().seen(session(), failed())))["providerError"] == "Overloaded"
    assert "providerError" not in last_attempt(plan(Gate().seen(session(), ended_pod(pod_status.result(), report("Good", good=True)))))


@pytest.mark.parametrize("limit", [0, 2])
def test_a_failure_that_opens_the_circuit_uses_up_no_retry(limit: int) -> None:
    written = status_of(plan(Gate(failures=1).seen(session({"retry": {"limit": limit}}), failed())))
    assert written.get("failures", 0) == 0
    assert "completionTime" not in written
    assert "nextRetryTime" not in written
    assert (written["phase"], written["waitingFor"]["reason"], written["waitingFor"]["kind"]) == ("Waiting", "CircuitOpen", "ModelProvider")


def test_a_failure_of_its_own_uses_up_a_retry_though_the_circuit_is_open() -> None:
    gate = Gate(failures=1)
    gate.seen(session(uid="another"), failed(owner="another", uid="p"))
    seen = gate.seen(session(), ended_pod("", report("Good", good=True)))
    written = status_of(plan(seen))
    assert (written["failures"], written["waitingFor"]["reason"]) == (1, "CircuitOpen")
    assert "nextRetryTime" in written


def test_a_bad_key_ends_the_session_that_finds_it_but_not_the_one_that_tries_for_all() -> None:
    first = Gate().seen(session(), failed("AuthFailed"))
    assert first.blocked is not None
    assert status_of(plan(first))["phase"] == "Failed"
    assert status_of(plan(replace(first, heard=Heard("AuthFailed", probe=True))))["phase"] == "Waiting"


def test_a_used_up_window_suspends_the_failed_session_until_its_reset() -> None:
    pod = ended_pod(
        pod_status.failure("RateLimited", apiStatus=429, resetsAt=stamp(ahead(900))),
        json.dumps({**json.loads(report("RateLimited", windows=rejected())), "lastError": {"status": 429}}),
    )
    gate = Gate()
    written = status_of(plan(gate.seen(session(), pod)))
    assert written["waitingFor"] == {"kind": "ModelProvider", "name": "default", "reason": "WindowRejected", "until": stamp(ahead(900))}
    assert "nextRetryTime" not in written
    assert PROVIDER in gate.looks, "it is worth a write"


@pytest.mark.parametrize(("status", "held"), [(429, True), (500, False)])
def test_a_reset_that_only_the_cli_has_heard_of_counts_if_the_gateway_saw_a_429(status: int, held: bool) -> None:
    told = json.dumps({**json.loads(report("RateLimited")), "lastError": {"status": status}})
    seen = Gate().seen(session(), ended_pod(pod_status.failure("RateLimited", apiStatus=429, resetsAt=stamp(ahead(900))), told))
    assert (seen.blocked is not None and seen.blocked.until == ahead(900)) is held


def test_a_cancelled_or_a_finished_session_waits_for_nothing() -> None:
    gate = Gate(failures=1)
    cancelled = plan(gate.seen(session({"cancel": True}), failed()))
    assert status_of(cancelled)["phase"] == "Failed"


@pytest.mark.parametrize("blocked", [OPEN, USED_UP, Blocked("WindowWarning", "one after the other")])
def test_what_the_provider_says_holds_a_session_without_an_event(blocked: Blocked) -> None:
    seen = replace(observed(), blocked=blocked)
    found = hold(seen)
    assert isinstance(found, Waiting)
    assert (found.reason, found.until, found.kind, found.name) == (blocked.reason, blocked.until, "ModelProvider", "default")
    decided = plan(seen)
    assert (decided.events, decided.look_again, decided.create) == ((), None, ())


def test_who_waits_is_not_written_to_again_because_the_moment_has_moved() -> None:
    told = status(waitingFor={"kind": "ModelProvider", "name": "default", "reason": "CircuitOpen", "until": stamp(ahead(5))})
    assert plan(replace(observed(session(status=told)), blocked=OPEN)) == Plan()
    assert plan(replace(observed(session(status=told)), blocked=replace(OPEN, until=None))) == Plan()
    assert plan(replace(observed(session(status=told)), blocked=USED_UP)) != Plan()


def test_only_who_is_held_by_the_provider_stands_in_its_line() -> None:
    gate = Gate(failures=1)
    gate.seen(session(uid="another"), failed(owner="another", uid="p"))
    road = gate.traffic.road(PROVIDER)
    assert road is not None
    for spec in ({}, {"suspend": True}):
        seen = gate.seen(session(spec))
        gate.house.passed(seen, plan(seen))
        assert road.waiting == (0 if spec else 1)
    gate.house.passed(gate.seen(), plan(gate.seen()))
    gate.house.gone(UID)
    assert road.waiting == 0


def test_its_passage_names_model_credential_and_rank() -> None:
    item = session({"priority": 7, "agent": {"model": "claude-x"}}, creationTimestamp=stamp(ago(50)))
    found = passage_of(observed(item, provider=provider({"credential": {"secretRef": {"name": "own"}}})), 3)
    assert found is not None
    assert (found.model, found.credential, found.priority, found.created, found.attempt) == ("claude-x", Credential(NAMESPACE, "own"), 7, ago(50), 3)
    plain = passage_of(observed(), 1)
    assert plain is not None
    assert plain.model == "claude-sonnet-5-5"


def test_failures_and_successes_of_the_history_are_told_again() -> None:
    history = [attempt(1, "Failed", "Overloaded", providerError="Overloaded"), attempt(2, "Disrupted", "Evicted"), attempt(3)]
    found = [(outcome.kind, outcome.attempt, outcome.uid) for _, outcome in told_by_history(observed(session(status=status(history=history))))]
    assert found == [("Overloaded", 1, UID), (GOOD, 3, UID)]


def test_a_new_controller_sees_that_the_one_that_tries_was_answered_before() -> None:
    gate = Gate(failures=1)
    passage = passage_of(gate.seen(), 1)
    assert passage is not None
    gate.traffic.learn(replace(passage, uid="another"), "Overloaded", NOW, NOW)
    road = gate.traffic.road(PROVIDER)
    assert road is not None
    for scope, one in road.circuits.items():
        road.circuits[scope] = replace(one, state="HalfOpen", until=None, probe=Probe(UID, 1, NOW))
    pod = running_pod()
    gate.seen(session(), pod)
    assert gate.states() == {"HalfOpen"}
    pod["status"]["initContainerStatuses"][0]["ready"] = True
    gate.seen(session(), pod)
    assert gate.states() == {"Closed"}


# Live reports


def live(address: str = "10.0.0.9") -> tuple[Gate, LiveReports]:
    gate = Gate(failures=1)
    store = PodStore(lambda key: None, lambda *_: True, lambda uid, number: None)
    item = running_pod()
    item["status"] |= {"podIP": address} if address else {}
    store.take(item)
    return gate, LiveReports(store, gate.traffic)


@pytest.mark.parametrize(
    ("address", "url"), [("10.0.0.9", "http://10.0.0.9:8788/report"), ("fd00::9", "http://[fd00::9]:8788/report"), ("", "")]
)
def test_where_the_report_of_a_running_attempt_is(address: str, url: str) -> None:
    _, reports = live(address)
    first, second = passage_of(observed(), 1), passage_of(observed(), 2)
    assert first is not None
    assert second is not None
    assert (reports.address(first), reports.address(second)) == (url, "")


def test_a_live_report_tells_of_windows_and_only_the_one_that_tries_decides() -> None:
    gate, reports = live()
    seen = passage_of(observed(), 1)
    assert seen is not None
    reports.heard(seen, report("Overloaded", windows=rejected()), NOW)
    road = gate.traffic.road(PROVIDER)
    assert road is not None
    assert [window.status for window in road.windows.values()] == ["Rejected"]
    assert gate.states() == set()
    reports.heard(seen, "nothing", NOW)
    gate.traffic.learn(replace(seen, uid="another"), "ServerError", NOW, NOW)
    for scope, one in road.circuits.items():
        road.circuits[scope] = replace(one, state="HalfOpen", until=None, probe=Probe(UID, 1, NOW))
    reports.heard(seen, report("Overloaded"), NOW)
    assert gate.states() == {"Open"}
    reports.heard(seen, report("Good", good=True), NOW)
    assert gate.states() == {"Closed"}, "it has got its answer after all"
