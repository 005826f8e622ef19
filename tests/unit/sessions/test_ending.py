"""How an attempt ended: one verdict from everything that a pod left behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from simulation.structural import problems, schema_of
from stint.sessions.ending import Ending, Remains, ending, output_problem
from stint.sessions.observed import Observed
from stint.sessions.plan import plan
from stint.sessions.pod_facts import vanished
from stint.sessions.reports import Report, Result, Usage, read_result
from unit.sessions.builders import NAME, Gone, ago, ahead, condition, ended_pod, facts, observed, pod, running_pod, running_status, session, status
from unit.sessions.kit import GIT, OUTPUT_SCHEMA, last_attempt, status_of

SUSPEND: Json = {"suspend": True}
CANCEL: Json = {"cancel": True}
DEADLINE: Json = {"reason": "DeadlineExceeded"}
VALID: Json = {"sha256": pod_status.canonical_hash({"a": 1}), "valid": True, "error": None}
DRAINED = pod_status.condition("DisruptionTarget", "True", "EvictionByEvictionAPI", "drained")
GATEWAY_ERROR = json.dumps({"version": 1, "error": {"class": "InputInvalid", "message": "no credential"}})


def after_init(name: str, exit_code: int = 1, message: str = "", *, reason: str = "", **more: Any) -> Json:
    """A pod whose init container ended like this; the agent never ran."""
    init = {"gateway": pod_status.terminated(0), name: pod_status.terminated(exit_code, message, reason=reason)}
    return pod(pod_status.status("Failed", init=init, agent=pod_status.waiting("PodInitializing"), **more))


def verdict(item: Json | Gone, spec: Json | None = None, before: Json | None = None) -> Ending:
    seen = observed(session(spec, status=before or running_status(1)), pods=[item])
    return ending(Remains(seen, facts(item)))


ENDINGS: list[Any] = [
    pytest.param(ended_pod(pod_status.result(), pod_status.report()), {}, "Succeeded", "Completed", "", id="it is done"),
    pytest.param(ended_pod(pod_status.result()), {}, "Succeeded", "Completed", "", id="it is done, without a report"),
    pytest.param(ended_pod(pod_status.result(), exit_code=1), {}, "Failed", "AgentCrashed", "without a result", id="it says done, but its exit code does not"),
    pytest.param(ended_pod(pod_status.result(), pod_status.report()), SUSPEND, "Succeeded", "Completed", "", id="it was done before it could be suspended"),
    pytest.param(ended_pod(pod_status.result(), pod_status.report()), CANCEL, "Succeeded", "Completed", "", id="it was done before it could be cancelled"),
    pytest.param(
        ended_pod(pod_status.result(), pod_status.report("5", limitReached="cost")), {}, "Succeeded", "Completed", "", id="it was done with the last cent",
    ),
    pytest.param(
        ended_pod(pod_status.result(structured={"a": 1}), pod_status.report(output=VALID)), OUTPUT_SCHEMA, "Succeeded", "Completed", "",
        id="its output was validated",
    ),
    pytest.param(ended_pod(pod_status.result(), pod_status.report()), OUTPUT_SCHEMA, "Failed", "OutputInvalid", "no structured output", id="no output"),
    pytest.param(
        ended_pod(pod_status.failure("RateLimited"), pod_status.report("5", limitReached="cost")), {}, "Failed", "BudgetReached",
        "limits.cost is used up; raise spec.limits.cost", id="the gateway says the money is spent",
    ),
    pytest.param(
        ended_pod("", pod_status.report("1", limitReached="tokens")), {}, "Failed", "BudgetReached", "limits.tokens", id="the gateway says tokens are spent",
    ),
    pytest.param(
        ended_pod(pod_status.failure("RateLimited"), pod_status.report("5", limitReached="cost")), CANCEL, "Cancelled", "Cancelled", "spec.cancel",
        id="cancelled, at its limit as it happens",
    ),
    pytest.param(
        ended_pod(pod_status.failure("RateLimited"), pod_status.report("5", limitReached="cost")), SUSPEND, "Suspended", "Suspended", "spec.suspend",
        id="suspended, at its limit as it happens",
    ),
    pytest.param(ended_pod(pod_status.failure("Overloaded")), CANCEL, "Cancelled", "Cancelled", "spec.cancel", id="cancelled, and died of it"),
    pytest.param(ended_pod(pod_status.failure("Overloaded")), SUSPEND, "Suspended", "Suspended", "spec.suspend", id="suspended, and died of it"),
    pytest.param(Gone(running_pod()), {**SUSPEND, **CANCEL}, "Cancelled", "Cancelled", "", id="cancelled and suspended"),
    pytest.param(ended_pod(exit_code=137, extra=DEADLINE), {}, "Failed", "Timeout", "limits.timeout has passed", id="kubelet ended it at the deadline"),
    pytest.param(ended_pod("", GATEWAY_ERROR, exit_code=1), {}, "Failed", "InputInvalid", "no credential", id="the gateway could not start"),
    pytest.param(
        after_init("clone", 1, json.dumps({"version": 1, "error": {"class": "CloneFailed", "message": "no such ref"}})), GIT, "Failed", "CloneFailed",
        "no such ref", id="the clone says why it failed",
    ),
    pytest.param(
        after_init("continue", 1, json.dumps({"version": 1, "error": {"class": "nonsense", "message": "x"}})), {}, "Failed", "ContinueFailed", "x",
        id="an init container with a class of its own",
    ),
    pytest.param(
        ended_pod(exit_code=128, extra={"agent_reason": "StartError"}), {}, "Failed", "InputInvalid", "container agent could not be started",
        id="the runtime could not start the agent",
    ),
    pytest.param(after_init("clone", 3), GIT, "Failed", "AgentCrashed", "the init container clone ended with exit code 3", id="the clone crashed"),
    pytest.param(after_init("clone", 137, conditions=[DRAINED]), GIT, "Disrupted", "EvictionByEvictionAPI", "drained", id="the clone died of a drain"),
    pytest.param(after_init("clone", 137, reason="OOMKilled"), GIT, "Failed", "AgentCrashed", "container clone ran out of memory", id="the clone's memory"),
    pytest.param(ended_pod(pod_status.failure("AuthFailed", "the key is wrong")), {}, "Failed", "AuthFailed", "the key is wrong", id="it says why it failed"),
    pytest.param(
        ended_pod(pod_status.failure("BudgetReached"), pod_status.report()), {}, "Failed", "AgentCrashed", "the gateway does not", id="only the agent says so",
    ),
    pytest.param(ended_pod(pod_status.result("Failed")), {}, "Failed", "AgentCrashed", "without a result", id="it failed without an error"),
    pytest.param(ended_pod(pod_status.result("Interrupted")), {}, "Failed", "AgentCrashed", "without a result", id="it was interrupted by nobody"),
    pytest.param(ended_pod(), {}, "Failed", "AgentCrashed", "see the log", id="it left nothing"),
    pytest.param(
        ended_pod(pod_status.result("Interrupted"), extra={"conditions": [DRAINED]}), {}, "Disrupted", "EvictionByEvictionAPI", "drained", id="drained",
    ),
    pytest.param(
        ended_pod(exit_code=137, extra={"conditions": [pod_status.condition("DisruptionTarget", "True", "PreemptionByScheduler")]}), {}, "Disrupted",
        "PreemptionByScheduler", "the cluster took the pod away", id="preempted without a word",
    ),
    pytest.param(
        pod(pod_status.status("Failed", reason="Evicted", message="low on memory")), {}, "Disrupted", "Evicted", "low on memory", id="evicted by kubelet",
    ),
    pytest.param(ended_pod(exit_code=137, deleting=ahead(5)), {}, "Disrupted", "PodDeleted", "the pod was deleted", id="deleted by somebody"),
    pytest.param(Gone(running_pod()), {}, "Disrupted", "PodDeleted", "the pod was deleted", id="gone"),
    pytest.param(
        ended_pod(exit_code=137, extra={"agent_reason": "OOMKilled"}), {}, "Failed", "AgentCrashed",
        "container agent ran out of memory: raise spec.podTemplate.resources.limits.memory", id="the agent's memory",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("item", "spec", "outcome", "reason", "words"), ENDINGS)
def test_an_attempt_ends(item: Json | Gone, spec: Json, outcome: str, reason: str, words: str) -> None:
    found = verdict(item, spec)
    assert (found.outcome, found.reason) == (outcome, reason)
    assert words in found.message


def test_a_gateway_that_ran_out_of_memory_is_no_fault_of_the_users_limit() -> None:
    init = {"gateway": pod_status.terminated(137, started=ago(60), finished=ago(10), reason="OOMKilled")}
    state = pod_status.status("Failed", init=init, agent=pod_status.terminated(1, started=ago(60), finished=ago(10)))
    assert verdict(pod(state)).message == "container gateway ran out of memory: raise the gateway's memory (chart value)"


@pytest.mark.parametrize("spec", [{}, SUSPEND, CANCEL], ids=["", "suspended", "cancelled"])
def test_nothing_an_agent_says_counts_once_its_gateway_has_failed(spec: Json) -> None:
    assert verdict(ended_pod(pod_status.result(), GATEWAY_ERROR), spec).reason == "InputInvalid"


@pytest.mark.parametrize(("report", "restarts", "never"), [(GATEWAY_ERROR, 0, True), (GATEWAY_ERROR, 1, False), (pod_status.report(), 0, False), ("", 0, False)])
def test_only_a_gateway_that_never_started_has_let_nothing_through(report: str, restarts: int, never: bool) -> None:
    item = ended_pod("", report)
    item["status"]["initContainerStatuses"][0]["restartCount"] = restarts
    assert Remains(observed(), facts(item)).never_served is never


def test_without_a_gateway_nobody_knows_what_was_let_through() -> None:
    assert Remains(observed(), facts(pod(pod_status.status("Failed")))).never_served is False


def test_a_pod_without_an_agent_container_left_nothing() -> None:
    found = Remains(observed(), facts(pod(pod_status.status("Failed"))))
    assert (found.result, found.report, found.gateway_error, found.exit_code) == (None, None, None, None)


def test_a_provider_window_and_status_are_handed_on() -> None:
    report = pod_status.report(lastError={"status": 429, "type": "rate_limit_error", "message": "slow down"})
    found = verdict(ended_pod(pod_status.failure("RateLimited", apiStatus=429, resetsAt=stamp(ahead(600))), report))
    assert (found.api_status, found.resets_at) == (429, ahead(600))


def test_the_moment_that_the_api_has_named_is_read_from_the_gateways_report() -> None:
    report = pod_status.report(lastError={"status": 529, "type": "overloaded_error", "message": "no", "retryAfter": stamp(ahead(40))})
    assert verdict(ended_pod(pod_status.failure("Overloaded", apiStatus=529), report)).retry_after == ahead(40)
    assert verdict(ended_pod(pod_status.failure("Overloaded", apiStatus=529), pod_status.report(lastError="?"))).retry_after is None


def test_a_pod_that_disappeared_unwatched_is_lost_not_deleted() -> None:
    lost = vanished(facts(running_pod()), unwatched=True)
    found = ending(Remains(observed(session(status=running_status(1))), lost))
    assert (found.outcome, found.reason) == ("Disrupted", "PodLost")


# A pod that never started


def stuck(created: float, reason: str = "", words: str = "") -> tuple[Observed, Gone]:
    waiting: Json = {"waitingFor": {"kind": "Pod", "name": f"{NAME}-1", "reason": reason}, "conditions": [condition("Ready", "False", reason, words)]}
    item = Gone(pod(pod_status.starting(), created=ago(created)))
    return observed(session(status=status(**waiting) if reason else status()), pods=[item]), item


def test_a_pod_that_was_deleted_for_starting_too_slowly_failed_to_start() -> None:
    seen, item = stuck(301)
    found = ending(Remains(seen, facts(item)))
    assert (found.outcome, found.reason) == ("StartFailed", "StartTimeout")
    assert "its containers were not created in time" in found.message


def test_the_problem_that_was_told_while_it_started_is_told_again() -> None:
    seen, item = stuck(301, "ImagePullBackOff", "no such image")
    assert "within limits.startTimeout: ImagePullBackOff: no such image" in ending(Remains(seen, facts(item))).message


def test_a_problem_of_something_else_is_not_the_pods() -> None:
    item = Gone(pod(pod_status.starting(), created=ago(301)))
    other = status(waitingFor={"kind": "Secret", "name": "anthropic", "reason": "SecretMissing"})
    found = ending(Remains(observed(session(status=other), pods=[item]), facts(item)))
    assert "its containers were not created in time" in found.message


def test_a_pod_that_somebody_deleted_in_its_first_minutes_was_disrupted() -> None:
    seen, item = stuck(299)
    assert ending(Remains(seen, facts(item))).outcome == "Disrupted"


def test_a_pod_that_ran_in_the_end_did_start() -> None:
    item = Gone(running_pod(since=600))
    assert verdict(item).reason == "PodDeleted"


def test_a_pod_that_was_deleted_in_time_but_settled_late_was_disrupted() -> None:
    item = Gone(pod(pod_status.starting(), created=ago(600), deleting=ago(580)))
    assert verdict(item, before=status()).outcome == "Disrupted"


def test_without_a_creation_time_nobody_can_say_that_it_was_slow() -> None:
    seen, item = stuck(301)
    del item.last["metadata"]["creationTimestamp"]
    assert ending(Remains(seen, facts(item))).reason == "PodDeleted"


def test_a_session_that_cannot_be_read_has_no_start_timeout() -> None:
    broken = session()
    broken["spec"]["suspend"] = ["no"]
    item = Gone(pod(pod_status.starting(), created=ago(3000)))
    assert ending(Remains(observed(broken, pods=[item]), facts(item))).reason == "PodDeleted"


# Structured output

SCHEMA: Json = {"type": "object"}
GOOD = Result("Succeeded", structured={"a": 1})
REPORT = Report(Usage(), output_sha256=VALID["sha256"], output_valid=True)
OUTPUTS: list[Any] = [
    pytest.param(None, Result("Succeeded"), None, "", id="none is asked for"),
    pytest.param(SCHEMA, GOOD, REPORT, "", id="validated"),
    pytest.param(SCHEMA, Result("Succeeded"), REPORT, "no structured output", id="none is given"),
    pytest.param(SCHEMA, GOOD, None, "was not validated", id="no report"),
    pytest.param(SCHEMA, GOOD, Report(Usage(), output_valid=True), "was not validated", id="nothing was submitted"),
    pytest.param(
        SCHEMA, GOOD, Report(Usage(), output_sha256="x", output_error="a: missing"), "does not match spec.agent.outputSchema: a: missing", id="invalid",
    ),
    pytest.param(SCHEMA, Result("Succeeded", structured={"a": 1}, storable=False), REPORT, "cannot be stored", id="not storable"),
    pytest.param(SCHEMA, Result("Succeeded", structured={"a": 2}), REPORT, "not the one that was validated", id="another one than was validated"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "result", "report", "problem"), OUTPUTS)
def test_an_output_counts_only_as_the_gateway_saw_it(schema: Json | None, result: Result, report: Report | None, problem: str) -> None:
    found = output_problem(schema, result, report)
    assert problem in found
    assert bool(found) == bool(problem)


@pytest.mark.parametrize("value", [1e16, 1e-7, 1.5e300, -0.0, 0.1, 2**62, "é\u2028", {"b": 1, "a": [None]}])
def test_an_output_is_hashed_as_the_gateway_does(value: Any) -> None:
    output = {"a": value}
    report = pod_status.report(output={"sha256": pod_status.canonical_hash(output), "valid": True, "error": None})
    item = ended_pod(pod_status.result(structured=output), report)
    assert verdict(item, OUTPUT_SCHEMA).reason == "Completed"


def test_a_session_whose_profile_is_missing_asks_for_no_output() -> None:
    assert verdict(ended_pod(pod_status.result(), pod_status.report()), {"profileRef": {"name": "bug-fixer"}}).reason == "Completed"


# A result that was cut

WHOLE = '{"type": "stint_result", "version": 1, "outcome": "Succeeded", "text": "all of it", "turns": 1}'


def test_a_result_that_was_cut_is_read_from_the_log() -> None:
    item = ended_pod(pod_status.result(truncated=True, text="all"), pod_status.report())
    seen = observed(session(status=running_status(1)), pods=[item], log_tail=f"noise\n{WHOLE}\n")
    found = Remains(seen, facts(item)).result
    assert found is not None
    assert (found.text, found.truncated) == ("all of it", False)


@pytest.mark.parametrize("log", ["", "noise", '{"type": "stint_result", "version": 1, "outc'])
def test_without_the_log_the_short_result_must_do(log: str) -> None:
    item = ended_pod(pod_status.result(truncated=True, text="all"), pod_status.report())
    found = Remains(observed(session(status=running_status(1)), pods=[item], log_tail=log), facts(item)).result
    assert found is not None
    assert (found.text, found.truncated) == ("all", True)


def test_a_forged_line_in_the_log_is_bounded_like_everything_else() -> None:
    brief = pod_status.result("Failed", truncated=True, error={"class": "Overloaded", "message": "x"})
    line = json.dumps({"type": "stint_result", "version": 1, "outcome": "Failed", "error": {"class": "Overloaded", "message": "x" * 40_000}})
    seen = observed(session(status=running_status(1)), pods=[ended_pod(brief, pod_status.report())], log_tail=line)
    assert len(status_of(plan(seen))["result"]["error"]["message"]) == 2048


def test_a_whole_result_is_not_replaced_by_what_stands_in_the_log() -> None:
    item = ended_pod(pod_status.result(text="mine"), pod_status.report())
    found = Remains(observed(session(status=running_status(1)), pods=[item], log_tail=WHOLE), facts(item)).result
    assert found == read_result(pod_status.result(text="mine"))


# What an agent can write into its own termination message never keeps its session from being settled

FORGED: list[Any] = [
    pytest.param(json.dumps({"version": 1, "outcome": "Succeeded", "tools": 5}), id="tools that are a number"),
    pytest.param(json.dumps({"version": 1, "outcome": "Succeeded", "tools": [{"name": {}, "status": 5}]}), id="a tool's name that is no text"),
    pytest.param(pod_status.failure("RateLimited", resetsAt="9999-12-31T23:59:59Z"), id="a reset in the year 9999"),
    pytest.param(pod_status.failure("RateLimited", resetsAt="0001-01-01T00:00:00+14:00"), id="a reset before the year 1"),
    pytest.param(pod_status.failure("RateLimited", resetsAt="0001-01-01T00:00:00Z"), id="a reset in the year 1"),
    pytest.param(pod_status.failure("RateLimited", resetsAt="2026-11-21T10:00:00"), id="a reset without a time zone"),
    pytest.param(pod_status.failure("no such class!"), id="a class with blanks"),
    pytest.param(pod_status.failure("429"), id="a class that begins with a digit"),
    pytest.param(json.dumps({"version": 1, "outcome": "Failed", "error": {"class": "Overloaded"}, "turns": 2**63 - 1}), id="more turns than fit"),
    pytest.param('{"version":1,"outcome":"Failed","error":{"class":"Overloaded","message":"\\ud800"}}', id="half a surrogate pair"),
    pytest.param('{"version":1,"outcome":"Failed","error":{"class":"Overloaded","apiStatus":5}}', id="a status that is none"),
    pytest.param("[" * 100_000, id="nested without end"),
    pytest.param('{"version":1,"outcome":"Succeeded","text":NaN}', id="no JSON"),
]


@pytest.mark.parametrize("text", FORGED)
def test_a_forged_result_is_settled(text: str) -> None:
    before = running_status(1, usage={"turns": 5, **pod_status.counts("0")})
    done = plan(observed(session(status=before), pods=[ended_pod(text, pod_status.report(), exit_code=0 if '"Succeeded"' in text else 1)]))
    assert last_attempt(done)["attempt"] == 1


DEEP = json.loads("[" * 300 + "]" * 300)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(DEEP, "OutputInvalid", id="nested 300 levels deep"),
        pytest.param([1], "Completed", id="a list"),
        pytest.param("text", "Completed", id="a text"),
        pytest.param({"a": None}, "Completed", id="with a null"),
        pytest.param({"a": 2**63}, "OutputInvalid", id="an integer beyond 64 bits"),
        pytest.param({"a": -(2**63)}, "Completed", id="the smallest integer of 64 bits"),
    ],
)
def test_a_valid_but_odd_output_is_settled(value: Any, reason: str) -> None:
    report = pod_status.report(output={"sha256": pod_status.canonical_hash(value), "valid": True, "error": None})
    done = plan(observed(session(OUTPUT_SCHEMA, status=running_status(1)), pods=[ended_pod(pod_status.result(structured=value), report)]))
    assert last_attempt(done)["reason"] == reason
    assert ("structured" in status_of(done)["result"]) == (reason == "Completed")
    if reason == "Completed":
        assert done.status is not None
        assert done.status["result"]["structured"] == value


@pytest.mark.parametrize("value", [{"a": "\ud800"}, {"\ud800": 1}], ids=["as a value", "as a key"])
def test_half_a_surrogate_in_an_output_is_settled(value: Json) -> None:
    verdict_of_gateway = {"sha256": "0" * 64, "valid": True, "error": None}
    item = ended_pod(pod_status.result(structured=value), pod_status.report(output=verdict_of_gateway))
    assert last_attempt(plan(observed(session(OUTPUT_SCHEMA, status=running_status(1)), pods=[item])))["reason"] == "OutputInvalid"


def test_a_number_that_is_infinite_is_not_stored() -> None:
    text = '{"version":1,"outcome":"Succeeded","structured":{"a":1e400}}'
    report = pod_status.report(output={"sha256": pod_status.canonical_hash({"a": float("inf")}), "valid": True, "error": None})
    assert last_attempt(plan(observed(session(OUTPUT_SCHEMA, status=running_status(1)), pods=[ended_pod(text, report)])))["reason"] == "OutputInvalid"


@pytest.mark.parametrize("text", ['{"version":1,"error":{}}', '{"version":1,"error":{"class":"not a word"}}', '{"version":1,"error":5}', "[]"])
def test_an_odd_error_of_an_init_container_is_settled(text: str) -> None:
    done = plan(observed(session(GIT), pods=[after_init("clone", 1, text)]))
    assert not problems(schema_of("agentsessions")["properties"]["status"], json.loads(json.dumps(done.status)))
    assert last_attempt(done)["reason"] in ("CloneFailed", "AgentCrashed")


def test_an_init_container_that_dies_with_its_drained_pod_is_a_disruption() -> None:
    assert last_attempt(plan(observed(session(GIT), pods=[after_init("clone", 137, conditions=[DRAINED])])))["outcome"] == "Disrupted"
