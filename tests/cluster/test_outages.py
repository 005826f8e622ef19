"""A provider that fails, hangs and comes back, a key that is bad, a window that is used up: with real pods, the real CLI and real refusals."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from cluster.bed import SYSTEM, Bed
from cluster.kube import Json
from cluster.sessions import condition, durable, finished, script, session, talk, waiting
from stint.engine.conditions import moment
from stint.gateway.guard import FAILURES as IN_A_ROW

FAILURES = 3
BREAKER: Json = {"failures": FAILURES, "window": "10m", "openFor": {"initial": "12s", "factor": 1, "max": "12s"}}
MOST_REQUESTS = IN_A_ROW + 1
"""Of one attempt that fails: the CLI would send up to eleven, but the gateway's breaker lets through so many, and one more after its rest."""
QUICK: Json = {"retry": {"limit": 1, "backoff": {"initial": "1s"}}}


def own_provider(bed: Bed, namespace: str, place: str = "", **spec: Any) -> Json:
    """A provider like the one of all tests, with settings of its own."""
    usual = next(item for item in bed.kube.list("ModelProvider", SYSTEM) if item["metadata"]["name"] == "default")["spec"]
    metadata = {"namespace": place or namespace, "name": f"own-{namespace}"}
    return bed.kube.create({"apiVersion": "stint.dev/v1alpha1", "kind": "ModelProvider", "metadata": metadata, "spec": {**usual, **spec}})


def own_key(bed: Bed, namespace: str) -> str:
    """A key that no other test uses; its fingerprint at the mock API."""
    key = f"sk-of-{namespace}"
    metadata = {"name": f"own-{namespace}", "namespace": namespace}
    bed.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"api-key": key}})
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def fails(bed: Bed, *faults: Json) -> None:
    bed.mock.ask("PUT", "faults", list(faults))


def answers(bed: Bed) -> None:
    bed.mock.ask("DELETE", "faults")


def circuits(item: Json, scope: str = "Provider") -> list[str]:
    return [one["state"] for one in item.get("status", {}).get("circuits", []) if one["scope"] == scope]


def asked(bed: Bed, credential: str) -> list[Json]:
    found: list[Json] = bed.mock.ask("GET", f"requests?credential={credential}&path=/v1/messages")
    return found


def events(bed: Bed, provider: Json, reason: str) -> list[datetime]:
    """When a provider's Events of this reason were written, the oldest first."""
    uid = provider["metadata"]["uid"]
    found = [one for one in bed.kube.list("Event", provider["metadata"]["namespace"]) if one["involvedObject"].get("uid") == uid]
    return sorted(when for one in found if one["reason"] == reason and (when := moment(one["firstTimestamp"])) is not None)


def test_an_outage_opens_the_circuit_one_tries_and_all_sessions_finish(bed: Bed, namespace: str) -> None:
    credential = own_key(bed, namespace)
    provider = own_provider(bed, namespace, breaker=BREAKER, credential={"secretRef": {"name": f"own-{namespace}"}})
    name = provider["metadata"]["name"]
    mine: Json = {**QUICK, "providerRef": {"name": name}}
    fails(bed, {"status": 529, "times": -1, "credential": credential})
    try:
        first = [bed.kube.create(session(namespace, f"first-{number}", **mine)) for number in range(FAILURES)]
        bed.kube.until("ModelProvider", namespace, name, lambda item: circuits(item) == ["Open"], 90)
        assert len(asked(bed, credential)) <= 2 * FAILURES * MOST_REQUESTS
        late = [bed.kube.create(session(namespace, f"late-{number}", **mine)) for number in range(8)]
        for item in late:
            held = waiting(bed, item, "CircuitOpen")
            assert (held["status"]["waitingFor"]["kind"], held["status"]["waitingFor"]["name"]) == ("ModelProvider", name)
        bed.kube.until("ModelProvider", namespace, name, lambda item: item["status"]["circuits"][-1].get("openings", 0) >= 2, 90)
        fails(bed, {"hang": 8, "times": 2, "credential": credential})
        done = [finished(bed, item, 180) for item in (*first, *late)]
    finally:
        answers(bed)
    assert {item["status"]["phase"] for item in done} == {"Succeeded"}
    assert bed.kube.until("ModelProvider", namespace, name, lambda item: circuits(item) == ["Closed"])
    opened, closed = events(bed, provider, "CircuitOpen"), events(bed, provider, "CircuitClosed")
    started = [when for pod in bed.kube.list("Pod", namespace) if (when := moment(pod["metadata"]["creationTimestamp"])) is not None]
    during = [when for when in started if opened[0] + timedelta(seconds=1) < when < closed[0]]
    tries = len(events(bed, provider, "CircuitHalfOpen"))
    assert 0 < len(during) <= tries, "while it was open nobody started but those that tried"
    refused = [one for one in asked(bed, credential) if one["status"] == 529]
    failed = sum(attempt["outcome"] == "Failed" for item in done for attempt in item["status"]["history"])
    assert failed <= FAILURES + 1 + tries
    assert len(refused) <= (failed + 1) * MOST_REQUESTS, "no storm"


def test_a_bad_key_of_one_team_stops_no_other_team(bed: Bed, namespace: str) -> None:
    other = bed.namespace(secret=False)
    bad = own_key(bed, namespace)
    good_secret = {"name": f"own-{namespace}", "namespace": other}
    bed.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": good_secret, "stringData": {"api-key": "sk-of-the-other-team"}})
    shared = own_provider(bed, namespace, SYSTEM, credential={"secretRef": {"name": f"own-{namespace}"}})
    name = shared["metadata"]["name"]
    fails(bed, {"status": 401, "times": -1, "credential": bad})
    try:
        failed = finished(bed, bed.kube.create(session(namespace, "first", providerRef={"name": name})))
        assert failed["status"]["result"]["error"]["class"] == "AuthFailed"
        found = bed.kube.until("ModelProvider", SYSTEM, name, lambda item: circuits(item, "Credential") == ["Open"])
        assert [(one["scope"], one["namespace"]) for one in found["status"]["circuits"]] == [("Credential", namespace)]
        waiting(bed, bed.kube.create(session(namespace, "second", providerRef={"name": name})), "CircuitOpen")
        fine = finished(bed, bed.kube.create(session(other, "fine", providerRef={"name": name})))
        assert fine["status"]["phase"] == "Succeeded"
    finally:
        answers(bed)
        bed.kube.delete("ModelProvider", SYSTEM, name)
        bed.kube.delete("Namespace", "", other)


def test_sessions_wait_for_the_reset_of_a_window_and_go_on_in_the_same_conversation(bed: Bed, namespace: str) -> None:
    own_key(bed, namespace)
    credential: Json = {"type": "SetupToken", "secretRef": {"name": f"own-{namespace}"}}
    provider = own_provider(bed, namespace, credential=credential)
    mine: Json = {"providerRef": {"name": provider["metadata"]["name"]}}
    window = {"unified-status": "rejected", "unified-reset": "+30", "unified-representative-claim": "five_hour"}
    used_up = {**window, "unified-5h-status": "rejected", "unified-5h-utilization": "1", "unified-5h-reset": "+30"}
    prompt = script({"fault": {"status": 429, "times": 1, "headers": {f"anthropic-ratelimit-{key}": value for key, value in used_up.items()}}, "text": "on"})
    item = bed.kube.create(durable(namespace, "first", prompt, **mine))
    held = waiting(bed, item, "WindowRejected")
    until = moment(held["status"]["waitingFor"]["until"])
    assert until is not None
    assert held["status"].get("failures", 0) == 0
    other = bed.kube.create(session(namespace, "other", script({"text": "done"}), **mine))
    assert waiting(bed, other, "WindowRejected")["status"]["waitingFor"]["until"] == held["status"]["waitingFor"]["until"]
    done = finished(bed, item, 120)
    assert condition(done, "Succeeded")["status"] == "True"
    assert done["status"]["result"]["text"] == "on"
    assert [attempt["outcome"] for attempt in done["status"]["history"]] == ["Failed", "Succeeded"]
    assert finished(bed, other, 60)["status"]["phase"] == "Succeeded"
    for name in ("first-2", "other-1"):
        started = moment(bed.kube.get("Pod", namespace, name)["metadata"]["creationTimestamp"])
        assert started is not None
        assert started >= until
    assert len(bed.mock.requests(talk(item), 2)) == 2, "one conversation, asked twice"
