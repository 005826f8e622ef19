"""From `kubectl apply` to an answer, and everything a user may ask of a session on the way."""

from __future__ import annotations

from cluster.bed import Bed
from cluster.sessions import (
    assert_billed_what_was_served,
    change,
    condition,
    durable,
    finished,
    phase,
    reason,
    script,
    session,
    talk,
    waiting,
)


def test_a_session_answers(bed: Bed, namespace: str) -> None:
    item = bed.kube.create(session(namespace, "hello", script({"text": "Hello from the other side."})))
    done = finished(bed, item)
    assert done["status"]["phase"] == "Succeeded"
    assert done["status"]["result"]["text"] == "Hello from the other side."
    assert done["status"]["attempt"] == 1
    assert_billed_what_was_served(bed, done)
    assert float(done["status"]["usage"]["cost"]) > 0


def test_a_session_with_a_volume_uses_tools(bed: Bed, namespace: str) -> None:
    steps = (
        {"tool": "Bash", "input": {"command": "echo forty-two > answer; cat answer"}},
        {"expect": "forty-two", "text": "seen", "else": {"text": "not seen"}},
    )
    done = finished(bed, bed.kube.create(durable(namespace, "tools", script(*steps))))
    assert done["status"]["result"]["text"] == "seen"
    assert_billed_what_was_served(bed, done)


def test_suspended_in_mid_turn_it_resumes_the_same_conversation_and_counts_tokens_once(bed: Bed, namespace: str) -> None:
    gate = f"suspend-{namespace}"
    item = bed.kube.create(durable(namespace, "pause", script({"until": {"gate": gate}, "text": "first"}, {"text": "unused"})))
    bed.mock.wait_at_gate(gate)
    change(bed, item, suspend=True)
    held = phase(bed, item, "Suspended")
    assert reason(held, "Suspended") == "Suspended"
    bed.kube.until("Pod", namespace, "pause-1", lambda _: False, gone=True)
    bed.mock.open_gate(gate)
    change(bed, item, suspend=False)
    done = finished(bed, item)
    assert done["status"]["phase"] == "Succeeded"
    assert done["status"]["sessionID"] == talk(item)
    assert [one["outcome"] for one in done["status"]["history"]] == ["Suspended", "Succeeded"]
    assert done["status"]["usage"]["requests"] == bed.mock.session(talk(item))["requests"]


def test_a_cancelled_session_ends_for_good(bed: Bed, namespace: str) -> None:
    gate = f"cancel-{namespace}"
    item = bed.kube.create(session(namespace, "stop", script({"until": {"gate": gate}, "text": "never"})))
    bed.mock.wait_at_gate(gate)
    change(bed, item, cancel=True)
    done = finished(bed, item)
    assert (done["status"]["phase"], reason(done, "Succeeded")) == ("Failed", "Cancelled")
    bed.kube.until("Pod", namespace, "stop-1", lambda _: False, gone=True)


def test_a_session_that_runs_too_long_ends_with_timeout(bed: Bed, namespace: str) -> None:
    item = bed.kube.create(session(namespace, "slow", script({"until": {"gate": f"never-{namespace}"}, "text": "never"}), limits={"timeout": "3s"}))
    done = finished(bed, item)
    assert done["status"]["result"]["error"]["class"] == "Timeout"
    assert condition(done, "Stalled")["status"] == "True"


def test_a_finished_session_goes_after_its_ttl(bed: Bed, namespace: str) -> None:
    item = bed.kube.create(session(namespace, "brief", script({"text": "bye"}), ttlSecondsAfterFinished=1))
    bed.kube.until("AgentSession", namespace, item["metadata"]["name"], lambda _: False, seconds=60, gone=True)
    bed.kube.until("Pod", namespace, "brief-1", lambda _: False, seconds=60, gone=True)


def test_a_new_session_continues_the_conversation_of_another(bed: Bed, namespace: str) -> None:
    first = finished(bed, bed.kube.create(durable(namespace, "first", script({"text": "the word is heliotrope"}))))
    assert first["status"]["phase"] == "Succeeded"
    prompt = script({"expect": "heliotrope", "text": "remembered", "else": {"text": "forgotten"}})
    second = finished(bed, bed.kube.create(durable(namespace, "second", prompt, continueFrom={"name": "first"})))
    assert second["status"]["result"]["text"] == "remembered"
    assert second["status"]["sessionID"] != first["status"]["sessionID"]


def test_structured_output_is_validated_and_handed_on(bed: Bed, namespace: str) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    steps = ({"tool": "StructuredOutput", "input": {"answer": 42}}, {"text": "done"})
    done = finished(bed, bed.kube.create(session(namespace, "shape", script(*steps), agent={"outputSchema": schema})))
    assert done["status"]["phase"] == "Succeeded"
    assert done["status"]["result"]["structured"] == {"answer": 42}


def test_missing_structured_output_fails_the_session(bed: Bed, namespace: str) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    item = session(namespace, "shapeless", script({"text": "no"}, {"text": "no"}, {"text": "no"}), agent={"outputSchema": schema}, retry={"limit": 0})
    done = finished(bed, bed.kube.create(item))
    assert done["status"]["result"]["error"]["class"] == "OutputInvalid"


def test_files_reach_the_workspace(bed: Bed, namespace: str) -> None:
    bed.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes", "namespace": namespace}, "data": {"a": "from a map"}})
    files = [{"path": "in/line.txt", "content": "in line"}, {"path": "map.txt", "configMapKeyRef": {"name": "notes", "key": "a"}}]
    steps = (
        {"tool": "Bash", "input": {"command": "cat in/line.txt map.txt"}},
        {"expect": ["in line", "from a map"], "text": "both", "else": {"text": "missing"}},
    )
    done = finished(bed, bed.kube.create(session(namespace, "files", script(*steps), workspace={"ephemeral": True, "files": files})))
    assert done["status"]["result"]["text"] == "both"


def test_a_prompt_may_come_from_a_secret(bed: Bed, namespace: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prompt", "namespace": namespace}}
    bed.kube.create({**secret, "stringData": {"text": script({"text": "read it"})}})
    item = session(namespace, "secretive")
    del item["spec"]["prompt"]
    item["spec"]["promptFrom"] = {"secretKeyRef": {"name": "prompt", "key": "text"}}
    done = finished(bed, bed.kube.create(item))
    assert done["status"]["result"]["text"] == "read it"


def test_a_failed_attempt_is_retried_with_backoff_in_the_same_conversation(bed: Bed, namespace: str) -> None:
    fault = {"fault": {"status": 529, "headers": {"x-should-retry": "false"}, "times": 1}, "text": "better now"}
    item = bed.kube.create(durable(namespace, "again", script(fault), retry={"limit": 2, "backoff": {"initial": "1s"}}))
    done = finished(bed, item)
    assert done["status"]["phase"] == "Succeeded"
    assert [(one["outcome"], one["reason"]) for one in done["status"]["history"]] == [("Failed", "Overloaded"), ("Succeeded", "Completed")]
    assert done["status"]["failures"] == 1


def test_a_long_result_comes_from_the_log(bed: Bed, namespace: str) -> None:
    text = "".join(f"{number:06d} " for number in range(2000))
    done = finished(bed, bed.kube.create(session(namespace, "long", script({"text": text}))))
    assert done["status"]["result"]["text"] == text[:4096]
    assert done["status"]["result"]["truncated"] is True


def test_a_session_stops_at_its_cost_limit_and_goes_on_when_it_is_raised(bed: Bed, namespace: str) -> None:
    dear = {"usage": {"input_tokens": 100_000, "output_tokens": 10_000}}
    steps = ({"tool": "Bash", "input": {"command": "true"}, **dear}, {"tool": "Bash", "input": {"command": "true"}, **dear}, {"text": "finished"})
    item = bed.kube.create(durable(namespace, "dear", script(*steps), limits={"cost": "0.10"}, agent={"model": "claude-sonnet-5-5"}))
    held = waiting(bed, item, "BudgetReached")
    assert held["status"]["phase"] == "Suspended"
    assert bed.mock.session(talk(item))["requests"] == 1
    change(bed, item, limits={"cost": "5.00"})
    done = finished(bed, item)
    assert done["status"]["phase"] == "Succeeded"
    assert_billed_what_was_served(bed, done)
