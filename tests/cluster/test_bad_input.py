"""Bad input gets a condition that says what to do, and bothers nobody else."""

from __future__ import annotations

import pytest

from cluster.bed import KEY, Bed
from cluster.kube import Answer
from cluster.sessions import condition, finished, reason, script, session, talk, waiting
from cluster.test_admission import without_webhooks


def test_a_missing_secret_is_named_and_the_session_starts_once_it_is_there(bed: Bed) -> None:
    namespace = bed.namespace(secret=False)
    item = bed.kube.create(session(namespace, "keyless", script({"text": "at last"})))
    held = waiting(bed, item, "SecretMissing")
    assert "Secret anthropic is missing in namespace" in condition(held, "Ready")["message"]
    wrong = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "anthropic", "namespace": namespace}, "stringData": {"other": "x"}}
    bed.kube.create(wrong)
    held = waiting(bed, item, "SecretKeyMissing")
    assert "key api-key of Secret anthropic" in condition(held, "Ready")["message"]
    bed.kube.patch("Secret", namespace, "anthropic", {"stringData": {"api-key": KEY}})
    assert finished(bed, item)["status"]["result"]["text"] == "at last"
    bed.kube.delete("Namespace", "", namespace)


def test_an_unknown_provider_and_profile_are_waited_for(bed: Bed, namespace: str) -> None:
    strange = bed.kube.create(session(namespace, "strange", script({"text": "hi"}), providerRef={"name": "later"}, profileRef={"name": "later"}))
    assert waiting(bed, strange, "ProfileNotFound")["status"]["waitingFor"] == {"kind": "AgentProfile", "name": "later", "reason": "ProfileNotFound"}
    bed.kube.create({"apiVersion": "stint.dev/v1alpha1", "kind": "AgentProfile", "metadata": {"name": "later", "namespace": namespace}, "spec": {}})
    assert waiting(bed, strange, "ProviderNotFound")["status"]["phase"] == "Waiting"
    provider = bed.kube.get("ModelProvider", "stint-system", "default")
    bed.kube.create({**provider, "metadata": {"name": "later", "namespace": namespace}, "status": None})
    assert finished(bed, strange)["status"]["phase"] == "Succeeded"


def test_an_invalid_output_schema_stalls_before_anything_is_spent(bed: Bed, namespace: str) -> None:
    with without_webhooks(bed):  # admission would not even let it in
        item = bed.kube.create(session(namespace, "askew", "hi", agent={"outputSchema": {"type": "nonsense"}}))
    held = waiting(bed, item, "InvalidOutputSchema")
    assert condition(held, "Stalled")["status"] == "True"
    assert bed.kube.list("Pod", namespace) == []


@pytest.mark.parametrize(("name", "prompt"), [("huge", "x" * 1024 * 1024), ("n" * 300, "hi")], ids=["a prompt of 1 MiB", "a name of 300 characters"])
def test_what_is_too_large_is_refused_at_once(bed: Bed, namespace: str, name: str, prompt: str) -> None:
    with pytest.raises(Answer) as refused:
        bed.kube.create(session(namespace, name, prompt))
    assert refused.value.status == 422


def test_an_image_that_cannot_be_pulled_is_named_and_the_session_fails_in_time(bed: Bed, namespace: str) -> None:
    template = {"nodeSelector": {"no-such": "node"}}
    item = bed.kube.create(session(namespace, "homeless", "hi", podTemplate=template, limits={"startTimeout": "5s"}, retry={"limit": 0}))
    waiting(bed, item, "Unschedulable")
    done = finished(bed, item)
    assert (done["status"]["phase"], reason(done)) == ("Failed", "StartTimeout")
    assert "didn't match Pod's node affinity/selector" in condition(done, "Ready")["message"]
    bed.kube.until("Pod", namespace, "homeless-1", lambda _: False, gone=True)


def test_a_quota_that_is_full_is_waited_for(bed: Bed, namespace: str) -> None:
    bed.kube.create(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": namespace}, "spec": {"hard": {"pods": "0"}}}
    )
    item = bed.kube.create(session(namespace, "squeezed", script({"text": "in"})))
    held = waiting(bed, item, "PodRefused")
    assert "exceeded quota: none" in condition(held, "Ready")["message"]
    bed.kube.patch("ResourceQuota", namespace, "none", {"spec": {"hard": {"pods": "10"}}})
    assert finished(bed, item)["status"]["phase"] == "Succeeded"


def test_a_namespace_deleted_in_mid_run_takes_everything_along(bed: Bed) -> None:
    namespace = bed.namespace()
    gate = f"doomed-{namespace}"
    bed.kube.create(session(namespace, "doomed", script({"until": {"gate": gate}, "text": "never"})))
    bed.mock.wait_at_gate(gate)
    bed.kube.delete("Namespace", "", namespace)
    bed.kube.until("Namespace", "", namespace, lambda _: False, seconds=90, gone=True)
    bed.mock.open_gate(gate)


def test_a_session_created_again_under_its_name_adopts_nothing(bed: Bed, namespace: str) -> None:
    gate = f"twin-{namespace}"
    first = bed.kube.create(session(namespace, "twin", script({"until": {"gate": gate}, "text": "old"})))
    bed.mock.wait_at_gate(gate)
    bed.kube.delete("AgentSession", namespace, "twin")
    second = bed.kube.create(session(namespace, "twin", script({"text": "new"})))
    done = finished(bed, second, 90)
    bed.mock.open_gate(gate)
    assert done["status"]["result"]["text"] == "new"
    assert done["status"]["usage"]["requests"] == bed.mock.session(talk(second))["requests"]
    assert talk(first) != talk(second)


def test_a_bad_session_does_not_keep_others_waiting(bed: Bed, namespace: str) -> None:
    for number in range(10):
        bed.kube.create(session(namespace, f"bad-{number}", "hi", providerRef={"name": "nowhere"}))
    assert finished(bed, bed.kube.create(session(namespace, "good", script({"text": "fine"}))), 30)["status"]["phase"] == "Succeeded"
