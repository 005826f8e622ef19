"""RateBudgets on a real cluster: limits hold while controllers die, what waits goes on, and what was used stays used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from cluster.bed import Bed
from cluster.controllers import kill_leader
from cluster.kube import Json
from cluster.sessions import change, finished, over, phase, reason, script, session, talk, waiting
from stint.engine.conditions import moment

CREATED, AT_ONCE, FIT, KILLED_AFTER = 200, 10, 30, (5, 12, 20)
SMALL = {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}}
PROMPT = script({"text": "done"})


def budget(namespace: str, *limits: Json, name: str = "team", **spec: Any) -> Json:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "stint.dev/v1alpha1", "kind": "RateBudget", "metadata": metadata, "spec": {"limits": list(limits), **spec}}


def account(item: Json, limit: str) -> Json:
    """A limit in the first account of a budget's status; empty while there is none."""
    accounts = item.get("status", {}).get("accounts", [])
    return next((one for one in accounts[0]["limits"] if one["name"] == limit), {}) if accounts else {}


def most_at_once(pods: list[Json]) -> int:
    """How many of these pods, all ended, were there at the same time; each counts from its creation until its last container had ended."""
    changes = []
    for pod in pods:
        containers = pod["status"]["initContainerStatuses"] + pod["status"]["containerStatuses"]
        ends = [moment(one["state"]["terminated"]["finishedAt"]) for one in containers]
        changes += [(max(end for end in ends if end), -1), (moment(pod["metadata"]["creationTimestamp"]), 1)]
    most = now = 0
    for _, change_ in sorted(changes, key=lambda each: (str(each[0]), each[1])):
        now += change_
        most = max(most, now)
    return most


def test_two_hundred_sessions_keep_to_their_budget_though_the_leader_is_killed_three_times(bed: Bed, namespace: str) -> None:
    first = finished(bed, bed.kube.create(session(namespace, "first", PROMPT, podTemplate=SMALL)))
    cost = Decimal(first["status"]["usage"]["cost"])
    reserve = (cost * Decimal("1.5")).quantize(Decimal("0.0001"))
    day = {"name": "day", "resource": "cost", "limit": str(cost * FIT + reserve), "calendar": "Monthly"}
    busy = {"name": "busy", "resource": "concurrency", "limit": str(AT_ONCE)}
    bed.kube.create(budget(namespace, busy, day, reserve={"cost": str(reserve)}))
    with ThreadPoolExecutor(16) as pool:
        created = list(pool.map(lambda n: bed.kube.create(session(namespace, f"storm-{n}", PROMPT, podTemplate=SMALL)), range(CREATED)))
    for enough in KILLED_AFTER:
        assert len(bed.kube.each("AgentSession", namespace, over, enough + 1, 120)) > enough
        kill_leader(bed)
    settled = bed.kube.until(
        "RateBudget", namespace, "team",
        lambda item: item.get("status", {}).get("waiting") == CREATED - FIT and account(item, "busy").get("reserved") == "0", 180,
    )  # fmt: skip
    done = [item for item in bed.kube.list("AgentSession", namespace) if over(item)]
    assert {item["status"]["phase"] for item in done} == {"Succeeded"}
    assert {item["status"]["attempt"] for item in done} == {1}
    pods = bed.kube.list("Pod", namespace)
    assert len(pods) == len(done) == FIT + 1
    assert most_at_once(pods) <= AT_ONCE
    served = sum((Decimal(bed.mock.session(talk(item))["usage"]["cost"]) for item in done), Decimal(0))
    spent = Decimal(account(settled, "day")["spent"])
    assert Decimal(0) <= spent - served < Decimal("0.0001")
    assert spent <= Decimal(day["limit"])
    assert settled["status"]["commits"] == []
    waits = [item for item in created if item["metadata"]["name"] not in {one["metadata"]["name"] for one in done}]
    assert reason(waiting(bed, waits[0], "BudgetFull")) == "BudgetFull"
    bed.kube.patch("RateBudget", namespace, "team", {"spec": {"limits": [busy, {**day, "limit": str(cost * (FIT + 3) + reserve)}]}})
    assert len(bed.kube.each("AgentSession", namespace, over, FIT + 4, 60)) == FIT + 4


def test_what_a_deleted_session_used_stays_counted_also_for_the_next_controller(bed: Bed, namespace: str) -> None:
    day = {"name": "day", "resource": "cost", "limit": "1.00", "calendar": "Monthly"}
    bed.kube.create(budget(namespace, day, reserve={"cost": "0.9"}))
    item = finished(bed, bed.kube.create(session(namespace, "spender", PROMPT)))
    bed.kube.until("RateBudget", namespace, "team", lambda found: Decimal(account(found, "day").get("spent", "0")) > 0)
    bed.kube.delete("AgentSession", namespace, "spender")
    bed.kube.until("AgentSession", namespace, "spender", lambda _: False, gone=True)
    kill_leader(bed)
    bed.kube.create(session(namespace, "other", PROMPT, limits={"cost": "0.998"}))
    held = waiting(bed, {"metadata": {"namespace": namespace, "name": "other"}}, "BudgetFull")
    found = bed.kube.get("RateBudget", namespace, "team")
    assert account(found, "day")["spent"] == item["status"]["usage"]["cost"]
    assert held["status"]["waitingFor"]["until"] == account(found, "day")["resetsAt"]
    change(bed, held, limits={"cost": "0.9"})
    phase(bed, held, "Succeeded")


def test_a_deleted_session_that_runs_is_settled_before_it_goes(bed: Bed, namespace: str) -> None:
    gate = f"budget-{namespace}"
    day = {"name": "day", "resource": "tokens", "limit": "1000000", "calendar": "Monthly"}
    bed.kube.create(budget(namespace, day, reserve={"tokens": 500000}))
    steps = ({"tool": "Bash", "input": {"command": "true"}}, {"until": {"gate": gate}, "text": "done"})
    item = bed.kube.create(session(namespace, "cut", script(*steps)))
    bed.mock.wait_at_gate(gate, 1, 60)
    bed.kube.delete("AgentSession", namespace, "cut")
    bed.kube.until("AgentSession", namespace, "cut", lambda _: False, 90, gone=True)
    bed.mock.open_gate(gate)
    usage = bed.mock.session(talk(item))["usage"]
    served = sum(usage[name] for name in ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens"))
    found = bed.kube.until("RateBudget", namespace, "team", lambda one: account(one, "day").get("reserved") == "0")
    assert 0 < served <= int(account(found, "day")["spent"]) < 500000
