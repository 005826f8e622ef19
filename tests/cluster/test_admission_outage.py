"""The webhook's certificate heals, an upgrade leaves it alone, and while admission is away nothing but our own kinds is held up."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from cluster.bed import ADMISSION, ROOT, SYSTEM, VALUES, WEBHOOKS, Bed
from cluster.kube import Answer
from cluster.sessions import finished, phase, script, session
from stint.certificates.decide import renewal
from stint.certificates.pair import make
from stint.certificates.secret import SECRET, read_secret, secret_data, server_names

HEALS_WITHIN = 120  # seconds


def bundles(bed: Bed) -> list[str]:
    found = [webhook for kind in WEBHOOKS for webhook in bed.kube.get(kind, "", ADMISSION)["webhooks"]]
    return [webhook["clientConfig"].get("caBundle", "") for webhook in found]


def restarts(bed: Bed) -> dict[str, int]:
    """Of each pod of ours, by uid; without those that an upgrade before has ended."""
    pods = [pod for pod in bed.kube.list("Pod", SYSTEM, "app.kubernetes.io/name=stint") if "deletionTimestamp" not in pod["metadata"]]
    return {pod["metadata"]["uid"]: sum(one["restartCount"] for one in pod["status"]["containerStatuses"]) for pod in pods}


def dry_run(bed: Bed, namespace: str) -> str:
    """What the API server says to a session; empty for yes."""
    path = bed.kube.path("AgentSession", namespace) + "?dryRun=All"
    try:
        bed.kube.send("POST", path, session(namespace, "probe", suspend=True))
    except Answer as answer:
        return str(answer)
    return ""


def seconds_until_it_answers(bed: Bed, namespace: str, ready: Any) -> float:
    """How long until the spoilt thing is `ready` and sessions can be created; each question waits for its answer."""
    began = time.monotonic()
    while time.monotonic() - began < HEALS_WITHIN:
        if ready() and not dry_run(bed, namespace):
            return time.monotonic() - began
        bed.kubectl("wait", "-n", SYSTEM, "deployment/stint-admission", "--for=condition=Available", "--timeout=30s")
    raise AssertionError(f"not healed: {dry_run(bed, namespace) or 'not ready'}")


def wipe_bundle(bed: Bed) -> None:
    for kind in WEBHOOKS:
        path = bed.kube.path(kind, "", ADMISSION)
        bed.kube.send("PATCH", path, [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}], "application/json-patch+json")


def foreign_bundle(bed: Bed) -> None:
    foreign = base64.b64encode(make(server_names(SYSTEM), datetime.now(UTC)).authorities).decode()
    path = bed.kube.path(WEBHOOKS[0], "", ADMISSION)
    change = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": foreign}]
    bed.kube.send("PATCH", path, change, "application/json-patch+json")


def delete_secret(bed: Bed) -> None:
    bed.kube.delete("Secret", SYSTEM, SECRET)


def foreign_certificate(bed: Bed) -> None:
    found = secret_data(make(server_names(SYSTEM), datetime.now(UTC)))
    bed.kube.patch("Secret", SYSTEM, SECRET, {"data": {name: found[name] for name in ("tls.crt", "tls.key")}})


def expired_certificate(bed: Bed) -> None:
    bed.kube.patch("Secret", SYSTEM, SECRET, {"data": secret_data(make(server_names(SYSTEM), datetime.now(UTC) - timedelta(days=100)))})


@pytest.mark.parametrize("spoil", [wipe_bundle, foreign_bundle, delete_secret, foreign_certificate, expired_certificate], ids=lambda each: each.__name__)
def test_what_is_spoilt_heals_without_a_restart(bed: Bed, namespace: str, spoil: Any) -> None:
    pods, before = restarts(bed), bundles(bed)
    secret = bed.kube.get("Secret", SYSTEM, SECRET)["data"]["tls.crt"]
    seconds_until_it_answers(bed, namespace, lambda: True)  # the test before this one may just have healed
    spoil(bed)
    keeps_secret = spoil in (wipe_bundle, foreign_bundle)

    def healed() -> bool:
        found = bed.kube.find("Secret", SYSTEM, SECRET)
        good = found is not None and renewal(read_secret(found), server_names(SYSTEM), datetime.now(UTC)) is None
        return found is not None and good and set(bundles(bed)) == {found["data"]["ca.crt"]}

    assert seconds_until_it_answers(bed, namespace, healed) < HEALS_WITHIN
    assert (bed.kube.get("Secret", SYSTEM, SECRET)["data"]["tls.crt"] == secret) == keeps_secret
    assert (bundles(bed) == before) == keeps_secret
    assert restarts(bed) == pods


def rendered(bed: Bed) -> str:
    """Our webhook configurations as Helm would send them."""
    text = bed.helm("template", "stint", str(ROOT / "charts/stint"), "-n", SYSTEM, "--kube-version", "1.36.0")
    found = [item for item in yaml.safe_load_all(text) if item and item["kind"] in WEBHOOKS]
    assert len(found) == 2
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": found})


def test_an_upgrade_leaves_the_bundle_alone_however_helm_sends_it(bed: Bed, namespace: str) -> None:
    before = bundles(bed)
    bed.install(*VALUES)  # Helm 3: a three-way merge on the client
    assert bundles(bed) == before
    bed.kubectl("apply", "--server-side", "--field-manager=helm", "--force-conflicts", "-f", "-", stdin=rendered(bed))  # as Helm 4 does
    assert bundles(bed) == before
    assert seconds_until_it_answers(bed, namespace, lambda: True) < HEALS_WITHIN


@pytest.fixture
def away(bed: Bed) -> Iterator[None]:
    """Admission is down."""
    bed.kube.patch("Deployment", SYSTEM, "stint-admission", {"spec": {"replicas": 0}})
    bed.kubectl("wait", "-n", SYSTEM, "pod", "-l", "app.kubernetes.io/component=admission", "--for=delete", "--timeout=60s")
    yield
    bed.install(*VALUES)


def test_while_admission_is_away_only_new_specs_of_our_kinds_are_held_up(bed: Bed, namespace: str, request: pytest.FixtureRequest) -> None:
    gate = f"away-{namespace}"
    running = bed.kube.create(session(namespace, "running", script({"until": {"gate": gate}, "text": "done"})))
    old = bed.kube.create(session(namespace, "old", suspend=True))
    bed.mock.wait_at_gate(gate, 1, 60)
    request.getfixturevalue("away")
    with pytest.raises(Answer) as refused:
        bed.kube.create(session(namespace, "new", suspend=True))
    assert refused.value.status == 500
    assert 'failed calling webhook "created-by.stint.dev"' in str(refused.value)
    with pytest.raises(Answer):
        bed.kube.patch("AgentSession", namespace, "old", {"spec": {"suspend": False}})
    bed.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": "other"}})
    bed.kube.patch("AgentSession", namespace, "old", {"metadata": {"labels": {"touched": "yes"}, "finalizers": ["example.com/held"]}})
    bed.mock.open_gate(gate)
    assert phase(bed, running, "Succeeded")["status"]["attempt"] == 1
    bed.kube.delete("AgentSession", namespace, "running", propagation="Foreground")
    bed.kube.until("AgentSession", namespace, "running", lambda _: False, gone=True)
    bed.kube.delete("AgentSession", namespace, "old")
    bed.kube.patch("AgentSession", namespace, "old", {"metadata": {"finalizers": None}})
    bed.kube.until("AgentSession", namespace, old["metadata"]["name"], lambda _: False, gone=True)


def test_switched_off_it_holds_up_nobody(bed: Bed, namespace: str) -> None:
    try:
        bed.install(*VALUES, "admission.enabled=false")
        assert [bed.kube.find(kind, "", ADMISSION) for kind in WEBHOOKS] == [None, None]
        assert bed.kube.find("Deployment", SYSTEM, "stint-admission") is None
        item = bed.kube.create(session(namespace, "plain", script({"text": "done"})))
        assert finished(bed, item)["status"]["phase"] == "Succeeded"
        assert "annotations" not in item["metadata"]
    finally:
        bed.install(*VALUES)


