"""What the API server answers with Stint's webhook and policy in front of it: to users, to GitOps tools, and to a flood."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from cluster.bed import ADMISSION, VALUES, WEBHOOKS, Bed
from cluster.kube import Answer, Json, Kube
from cluster.sessions import finished, over, phase, reason, script, session, waiting
from cluster.test_budgets import PROMPT, SMALL, account, budget, most_at_once

CREATED_BY, GROUPS, LEDGER = "stint.dev/created-by", "stint.dev/created-by-groups", "stint.dev/ledger"
BUSY = {"name": "busy", "resource": "concurrency", "limit": "1"}


def stamps_of(item: Json) -> dict[str, str]:
    found: dict[str, str] = item["metadata"].get("annotations", {})
    return found


def idle(namespace: str, name: str, stamp: dict[str, str] | None = None, **spec: Any) -> Json:
    """A session that does not start."""
    item = session(namespace, name, suspend=True, **spec)
    item["metadata"]["annotations"] = stamp or {}
    return item


def grant(bed: Bed, namespace: str, user: str, role: str) -> None:
    bed.kube.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"namespace": namespace, "name": f"{user}-{role}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }
    )  # fmt: skip


@pytest.fixture
def alice(bed: Bed, namespace: str) -> Iterator[Kube]:
    """A user who may run sessions in her namespace, and nothing elsewhere."""
    grant(bed, namespace, "alice", "edit")
    kube = Kube(bed.cluster.kubeconfig, "alice", ("devs", "CN=Search,OU=All"))
    yield kube
    kube.close()


def refusal(done: Any, *arguments: Any) -> Answer:
    """The answer no, to a request that must not succeed."""
    with pytest.raises(Answer) as refused:
        done(*arguments)
    return refused.value


@contextmanager
def without_webhooks(bed: Bed) -> Iterator[None]:
    """Somebody has deleted both configurations; Helm puts them back."""
    for kind in WEBHOOKS:
        bed.kube.delete(kind, "", ADMISSION)
    try:
        yield
    finally:
        bed.install(*VALUES)


# Who created it


def test_who_creates_a_session_is_written_down_whatever_they_claim(bed: Bed, namespace: str, alice: Kube) -> None:
    item = alice.create(idle(namespace, "mine", {CREATED_BY: "bob", GROUPS: "admins", "team": "search"}))
    assert stamps_of(item) == {CREATED_BY: "alice", GROUPS: "CN=Search,OU=All\ndevs\nsystem:authenticated", "team": "search"}
    changed = alice.patch("AgentSession", namespace, "mine", {"metadata": {"annotations": {CREATED_BY: "bob", GROUPS: None}}})
    assert stamps_of(changed) == stamps_of(item)
    replaced = alice.send("PUT", alice.path("AgentSession", namespace, "mine"), {**changed, "metadata": {**changed["metadata"], "annotations": {}}})
    assert stamps_of(replaced) == {name: value for name, value in stamps_of(item).items() if name != "team"}


def test_a_service_account_is_written_down_by_its_whole_name(bed: Bed, namespace: str) -> None:
    robot = f"system:serviceaccount:{namespace}:ci"
    grant_to = {"kind": "ServiceAccount", "name": "ci", "namespace": namespace}
    bed.kube.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"namespace": namespace, "name": "ci"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}, "subjects": [grant_to],
        }
    )  # fmt: skip
    kube = Kube(bed.cluster.kubeconfig, robot, ("system:serviceaccounts",))
    assert stamps_of(kube.create(idle(namespace, "robots")))[CREATED_BY] == robot
    kube.close()


def test_a_budget_per_user_counts_each_user_apart(bed: Bed, namespace: str, alice: Kube) -> None:
    bed.kube.create(budget(namespace, BUSY, per=["User"], atLimit="Queue", selector={"groups": ["devs"]}))
    gate = f"users-{namespace}"
    first = alice.create(session(namespace, "alices", script({"until": {"gate": gate}, "text": "done"}), podTemplate=SMALL))
    bed.mock.wait_at_gate(gate, 1, 60)
    second = alice.create(session(namespace, "alices-next", PROMPT, podTemplate=SMALL))
    others = bed.kube.create(session(namespace, "admins", PROMPT, podTemplate=SMALL))
    waiting(bed, second, "BudgetFull")
    assert phase(bed, others, "Succeeded")["status"]["attempt"] == 1
    found = bed.kube.until("RateBudget", namespace, "team", lambda item: account(item, "busy").get("reserved") == "1")
    assert [each["key"] for each in found["status"]["accounts"]] == ["User=alice"]
    bed.mock.open_gate(gate)
    for item in (first, second):
        phase(bed, item, "Succeeded")


# What users must not do, also while the webhook is away


def test_without_the_webhook_the_api_server_still_guards_creator_and_finalizer(bed: Bed, namespace: str, alice: Kube) -> None:
    with without_webhooks(bed):
        for forged in ({CREATED_BY: "bob"}, {CREATED_BY: "alice", GROUPS: "devs\nadmins"}, {GROUPS: "devs"}):
            assert refusal(alice.create, idle(namespace, "forged", forged)).status == 403
        own = alice.create(idle(namespace, "own", {CREATED_BY: "alice", GROUPS: "devs\nCN=Search,OU=All"}))
        alice.create(idle(namespace, "unstamped"))
        changes: list[tuple[str, dict[str, str | None]]] = [
            ("own", {CREATED_BY: "bob"}), ("own", {CREATED_BY: None}), ("own", {GROUPS: "admins"}), ("unstamped", {CREATED_BY: "alice"}),
        ]  # fmt: skip
        for name, stamp in changes:
            answer = refusal(alice.patch, "AgentSession", namespace, name, {"metadata": {"annotations": stamp}})
            assert answer.status == 403
            assert "who created a session cannot be changed" in str(answer)
        bed.kube.patch("AgentSession", namespace, "own", {"metadata": {"finalizers": [LEDGER, "example.com/other"]}})
        for left in ([], ["example.com/other"], None):
            for kube in (alice, bed.kube):
                answer = refusal(kube.patch, "AgentSession", namespace, "own", {"metadata": {"finalizers": left}})
                assert answer.status == 403
                assert "only Stint takes it off" in str(answer)
        alice.patch("AgentSession", namespace, "own", {"metadata": {"finalizers": [LEDGER]}})
        alice.delete("AgentSession", namespace, own["metadata"]["name"], propagation="Foreground")
        bed.kube.until("AgentSession", namespace, "own", lambda _: False, gone=True)


def test_a_user_of_one_namespace_neither_sees_nor_spends_what_belongs_to_another(bed: Bed, namespace: str, alice: Kube) -> None:
    elsewhere = bed.namespace()
    bed.kube.create(budget(elsewhere, BUSY))
    bed.kube.create(idle(elsewhere, "theirs"))
    for kind, name in (("AgentSession", "theirs"), ("RateBudget", "team")):
        assert refusal(alice.get, kind, elsewhere, name).status == 403
    assert refusal(alice.create, idle(elsewhere, "intruder")).status == 403
    alice.create(idle(namespace, "mine"))
    for kind, name, status in (("AgentSession", "mine", {"usage": {"cost": "0"}}), ("RateBudget", "team", {"accounts": []})):
        assert refusal(alice.patch, kind, namespace, name, {"status": status}, "status").status == 403
    assert refusal(alice.create, budget(namespace, BUSY)).status == 403
    bed.kube.delete("Namespace", "", elsewhere)


@pytest.mark.parametrize("at_limit", ["Queue", "Reject"])
def test_without_the_webhook_a_flood_spends_no_more_than_the_limit(bed: Bed, namespace: str, at_limit: str) -> None:
    fit = 4
    starts = {"name": "starts", "resource": "sessions", "limit": str(fit), "calendar": "Monthly"}
    bed.kube.create(budget(namespace, starts, {**BUSY, "limit": "2"}, atLimit=at_limit))
    with without_webhooks(bed):
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: bed.kube.create(session(namespace, f"flood-{n}", PROMPT, podTemplate=SMALL)), range(30)))
        least = fit if at_limit == "Queue" else 30
        done = bed.kube.each("AgentSession", namespace, over, least, 90)
        assert len(done) == least
    pods = bed.kube.list("Pod", namespace)
    assert 0 < len(pods) <= fit
    assert most_at_once(pods) <= 2
    spent = account(bed.kube.get("RateBudget", namespace, "team"), "starts")["spent"]
    assert int(spent) == len(pods)


# What budgets say


def test_a_full_budget_that_rejects_answers_429_at_once(bed: Bed, namespace: str) -> None:
    bed.kube.create(budget(namespace, BUSY, atLimit="Reject"))
    gate = f"reject-{namespace}"
    first = bed.kube.create(session(namespace, "first", script({"until": {"gate": gate}, "text": "done"}), podTemplate=SMALL))
    bed.kube.until("RateBudget", namespace, "team", lambda item: account(item, "busy").get("reserved") == "1")
    answer = refusal(bed.kube.create, session(namespace, "second", PROMPT))
    assert answer.status == 429
    assert "no room for AgentSession second" in str(answer)
    assert f"budget {namespace}/team, account shared, limit busy: 1 of 1 running sessions" in str(answer)
    bed.mock.open_gate(gate)
    phase(bed, first, "Succeeded")
    bed.kube.until("RateBudget", namespace, "team", lambda item: account(item, "busy").get("reserved", "0") == "0")
    phase(bed, bed.kube.create(session(namespace, "second", PROMPT, podTemplate=SMALL)), "Succeeded")


def test_a_flood_within_a_second_is_rejected_before_anything_is_published(bed: Bed, namespace: str) -> None:
    bed.kube.create(budget(namespace, BUSY, atLimit="Reject"))

    def attempt(number: int) -> int:
        try:
            bed.kube.create(session(namespace, f"storm-{number}", PROMPT, podTemplate=SMALL))
        except Answer as answer:
            return answer.status
        return 201

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(24)))
    assert set(answers) == {201, 429}
    assert answers.count(201) <= 8, "each of two replicas lets in one, and one more for each publication that comes between"
    let_in = answers.count(201)
    assert len(bed.kube.each("AgentSession", namespace, over, let_in, 60)) == let_in
    assert most_at_once(bed.kube.list("Pod", namespace)) == 1


def test_kubectl_prints_that_a_session_will_wait(bed: Bed, namespace: str) -> None:
    day = {"name": "day", "resource": "sessions", "limit": "1", "calendar": "Monthly"}
    bed.kube.create(budget(namespace, day))
    finished(bed, bed.kube.create(session(namespace, "only", PROMPT, podTemplate=SMALL)))
    spent = bed.kube.until("RateBudget", namespace, "team", lambda item: account(item, "day").get("spent") == "1")
    printed = bed.kubectl_says("create", "-f", "-", stdin=json.dumps(session(namespace, "late", PROMPT)))
    assert f"Warning: AgentSession late waits: budget {namespace}/team, account shared, limit day: 0 of 1 starts left" in printed
    assert account(spent, "day")["resetsAt"] in printed
    assert reason(waiting(bed, {"metadata": {"namespace": namespace, "name": "late"}}, "BudgetFull")) == "BudgetFull"


# What cannot be meant


def test_what_no_schema_can_refuse_is_refused_with_a_sentence(bed: Bed, namespace: str) -> None:
    schema = {"outputSchema": {"type": "objekt"}}
    assert "spec.agent.outputSchema is not a JSON schema" in str(refusal(bed.kube.create, idle(namespace, "odd", agent=schema)))
    profile = {"apiVersion": "stint.dev/v1alpha1", "kind": "AgentProfile", "metadata": {"namespace": namespace, "name": "odd"}, "spec": {"agent": schema}}
    assert refusal(bed.kube.create, profile).status == 422
    item = bed.kube.create(idle(namespace, "fixed"))
    answer = refusal(bed.kube.patch, "AgentSession", namespace, "fixed", {"spec": {"prompt": "another"}})
    assert "prompt cannot be changed once the session exists" in str(answer)
    assert bed.kube.get("AgentSession", namespace, "fixed")["spec"] == item["spec"]


def test_gitops_may_apply_in_any_order(bed: Bed, namespace: str) -> None:
    printed = bed.kubectl_says("create", "-f", "-", stdin=json.dumps(session(namespace, "early", PROMPT, profileRef={"name": "late"}, podTemplate=SMALL)))
    assert "Warning: there is no AgentProfile late in namespace" in printed
    meta = {"namespace": namespace, "name": "late"}
    bed.kube.create({"apiVersion": "stint.dev/v1alpha1", "kind": "AgentProfile", "metadata": meta, "spec": {}})
    phase(bed, {"metadata": {"namespace": namespace, "name": "early"}}, "Succeeded")


# Apply, diff, dry run


@pytest.mark.parametrize("how", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_applying_twice_changes_nothing_and_shows_no_difference(bed: Bed, namespace: str, how: tuple[str, ...]) -> None:
    manifest = json.dumps(session(namespace, "steady", suspend=True))
    bed.kubectl("apply", *how, "-f", "-", stdin=manifest)
    waiting(bed, {"metadata": {"namespace": namespace, "name": "steady"}}, "Suspended")
    before = bed.kube.get("AgentSession", namespace, "steady")["metadata"]
    assert CREATED_BY in before["annotations"]
    bed.kubectl("diff", *how, "-f", "-", stdin=manifest)
    bed.kubectl("apply", *how, "-f", "-", stdin=manifest)
    after = bed.kube.get("AgentSession", namespace, "steady")["metadata"]
    assert (after["resourceVersion"], after["annotations"]) == (before["resourceVersion"], before["annotations"])


def test_a_dry_run_leaves_nothing_behind(bed: Bed, namespace: str) -> None:
    bed.kube.create(budget(namespace, BUSY, atLimit="Reject"))
    manifest = json.dumps(session(namespace, "tried", PROMPT, podTemplate=SMALL))
    for _ in range(6):
        bed.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest)
    assert bed.kube.list("AgentSession", namespace) == []
    bed.kubectl("apply", "-f", "-", stdin=manifest)
    phase(bed, {"metadata": {"namespace": namespace, "name": "tried"}}, "Succeeded")
