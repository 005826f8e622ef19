"""A thousand budgets that select nothing, and five hundred accounts in one, all in the line of another: everybody else is served as if they were not there."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from cluster.bed import Bed
from cluster.kube import Json
from cluster.sessions import condition, finished, phase, script, session, waiting
from cluster.test_budgets import budget

BUDGETS, TEAMS, SHOWN = 1_000, 500, 50
BUSY = {"name": "busy", "resource": "concurrency", "limit": "1"}


def create_all(bed: Bed, manifests: Iterable[Json]) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(bed.kube.create, manifests))


def labelled(item: Json, team: str) -> Json:
    item["metadata"]["labels"] = {"team": team}
    return item


def test_a_thousand_budgets_and_five_hundred_accounts_in_a_line_hold_nobody_else_up(bed: Bed, namespace: str) -> None:
    # given a thousand budgets that select nothing, one with an account for each team, and one that lets one session run
    nobody = {"sessions": {"matchLabels": {"nobody": "has-this"}}}
    create_all(bed, (budget(namespace, BUSY, name=f"idle-{number}", selector=nobody) for number in range(BUDGETS)))
    bed.kube.create(budget(namespace, BUSY, name="per-team", per=["Label:team"]))
    bed.kube.create(budget(namespace, BUSY, name="one"))
    gate = f"many-{namespace}"
    first = bed.kube.create(labelled(session(namespace, "first", script({"until": {"gate": gate}, "text": "done"})), "first"))
    bed.mock.wait_at_gate(gate, 1, 60)
    # when five hundred teams want to start at once
    create_all(bed, (labelled(session(namespace, f"s-{number}", script({"text": "done"})), f"t{number}") for number in range(TEAMS - 1)))
    # then all of them wait, and are told for what
    last = waiting(bed, {"metadata": {"namespace": namespace, "name": f"s-{TEAMS - 2}"}}, "BudgetFull", 90)
    assert last["status"]["waitingFor"]["name"] == "one"
    bed.kube.until("RateBudget", namespace, "one", lambda item: item.get("status", {}).get("waiting") == TEAMS - 1, 60)
    # and the status shows the fullest accounts and how many there are
    teams = bed.kube.until("RateBudget", namespace, "per-team", lambda item: item.get("status", {}).get("accountCount") == TEAMS, 60)["status"]
    assert (len(teams["accounts"]), teams["accounts"][0]["key"]) == (SHOWN, "Label:team=first")
    # and whom no budget counts is served at once
    elsewhere = bed.namespace()
    assert finished(bed, bed.kube.create(session(elsewhere, "free", script({"text": "done"}))), 30)["status"]["phase"] == "Succeeded"
    # and every budget says that it counts
    budgets = bed.kube.each("RateBudget", namespace, lambda item: condition(item, "Ready").get("status") == "True", BUDGETS + 2, 90)
    assert len(budgets) == BUDGETS + 2
    # and when the first has ended, the next one starts
    bed.mock.open_gate(gate)
    phase(bed, first, "Succeeded")
    assert bed.kube.each("AgentSession", namespace, lambda item: item.get("status", {}).get("phase") == "Succeeded", 2, 60)
    bed.kube.delete("Namespace", "", elsewhere)
