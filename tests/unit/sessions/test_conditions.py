"""The conditions of a session: all from the same facts, in the form that kstatus and `kubectl wait` understand."""

from __future__ import annotations

from typing import Any

import pytest

from simulation.pod_status import Json, stamp
from stint.engine.plan import Stalled, Waiting
from stint.sessions.conditions import Facts, conditions, phase
from unit.sessions.builders import NOW, ago, condition
from unit.sessions.kit import told

WAITING = Waiting("ProviderNotFound", "there is none")
STALLED = Stalled("InvalidSpec", "no such field")
BROKEN: Json = {"name": "docs", "status": "failed", "required": False, "error": "refused"}
CONNECTED: Json = {"name": "docs", "status": "connected", "required": True, "error": ""}

IN_PROGRESS = ("Unknown", "InProgress")
ADMITTED = ("True", "Admitted")

CASES: list[Any] = [
    pytest.param(
        Facts("PodPending"), "Pending",
        {"Admitted": ADMITTED, "Running": ("False", "PodPending"), "Succeeded": IN_PROGRESS, "Ready": ("False", "PodPending"),
         "Reconciling": ("True", "PodPending")},
        id="its pod starts",
    ),
    pytest.param(
        Facts("PodRunning", running=True), "Running",
        {"Admitted": ADMITTED, "Running": ("True", "PodRunning"), "Succeeded": IN_PROGRESS, "Ready": ("False", "PodRunning"),
         "Reconciling": ("True", "PodRunning")},
        id="it runs",
    ),
    pytest.param(
        Facts("ProviderNotFound", "there is none", WAITING), "Waiting",
        {"Admitted": ("False", "ProviderNotFound"), "Running": ("False", "ProviderNotFound"), "Succeeded": IN_PROGRESS,
         "Ready": ("False", "ProviderNotFound"), "Reconciling": ("True", "ProviderNotFound")},
        id="it waits",
    ),
    pytest.param(
        Facts("InvalidSpec", "no such field", STALLED), "Stalled",
        {"Admitted": ("False", "InvalidSpec"), "Running": ("False", "InvalidSpec"), "Succeeded": IN_PROGRESS, "Ready": ("False", "InvalidSpec"),
         "Stalled": ("True", "InvalidSpec")},
        id="a person has to act",
    ),
    pytest.param(
        Facts("Suspended", suspended=True), "Suspended",
        {"Admitted": ADMITTED, "Running": ("False", "Suspended"), "Suspended": ("True", "Suspended"), "Succeeded": IN_PROGRESS,
         "Ready": ("False", "Suspended")},
        id="it is suspended",
    ),
    pytest.param(
        Facts("BudgetReached", "spent", Stalled("BudgetReached", "spent"), suspended=True), "Suspended",
        {"Admitted": ("False", "BudgetReached"), "Running": ("False", "BudgetReached"), "Suspended": ("True", "BudgetReached"),
         "Succeeded": IN_PROGRESS, "Ready": ("False", "BudgetReached"), "Stalled": ("True", "BudgetReached")},
        id="its money is spent",
    ),
    pytest.param(
        Facts("Completed", finished=True), "Succeeded",
        {"Admitted": ADMITTED, "Running": ("False", "Completed"), "Succeeded": ("True", "Completed"), "Ready": ("True", "Completed")},
        id="it finished well",
    ),
    pytest.param(
        Facts("AuthFailed", "wrong key", finished=False), "Failed",
        {"Admitted": ADMITTED, "Running": ("False", "AuthFailed"), "Succeeded": ("False", "AuthFailed"), "Ready": ("False", "AuthFailed"),
         "Stalled": ("True", "AuthFailed")},
        id="it failed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "word", "expected"), CASES)
def test_facts_become_a_phase_and_conditions(facts: Facts, word: str, expected: dict[str, tuple[str, str]]) -> None:
    assert phase(facts) == word
    assert told({"conditions": conditions(facts, {}, 1, NOW)}) == expected


@pytest.mark.parametrize("facts", [case.values[0] for case in CASES])
def test_kstatus_finds_one_answer_only(facts: Facts) -> None:
    found = told({"conditions": conditions(facts, {}, 1, NOW)})
    assert not {"Reconciling", "Stalled"} <= set(found)
    assert found["Ready"][0] != "True" or not {"Reconciling", "Stalled"} & set(found)


def test_a_message_stands_where_it_explains_something() -> None:
    found = {one["type"]: one["message"] for one in conditions(Facts("AuthFailed", "wrong key", finished=False), {}, 1, NOW)}
    assert found == {"Admitted": "", "Running": "wrong key", "Succeeded": "wrong key", "Ready": "wrong key", "Stalled": "wrong key"}


def test_a_running_session_has_no_message_in_running() -> None:
    assert {one["message"] for one in conditions(Facts("PodRunning", "x", running=True), {}, 1, NOW) if one["type"] == "Running"} == {""}


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    before = {"conditions": [condition("Running", "False", "PodPending", since=ago(500)), condition("Ready", "True", "X", since=ago(500))]}
    found = {one["type"]: one for one in conditions(Facts("Other"), before, 4, NOW)}
    assert found["Running"]["lastTransitionTime"] == stamp(ago(500))
    assert found["Ready"]["lastTransitionTime"] == stamp(NOW)
    assert {one["observedGeneration"] for one in found.values()} == {4}


def test_what_is_over_is_no_condition_any_more() -> None:
    before = {"conditions": [condition("Suspended"), condition("Stalled"), condition("Reconciling")]}
    assert not {"Suspended", "Stalled", "Reconciling"} & set(told({"conditions": conditions(Facts("Completed", finished=True), before, 1, NOW)}))


TOOLS: list[Any] = [
    pytest.param((CONNECTED,), ("True", "ToolsConnected"), "", id="all connected"),
    pytest.param((CONNECTED, BROKEN), ("False", "ToolsDegraded"), "docs: refused", id="an optional one did not"),
    pytest.param((BROKEN | {"required": True},), ("False", "ToolsUnavailable"), "docs: refused", id="a required one did not"),
    pytest.param((BROKEN | {"error": ""}, BROKEN), ("False", "ToolsDegraded"), "docs: failed; docs: refused", id="with and without an error"),
]


@pytest.mark.parametrize(("tools", "expected", "words"), TOOLS)
def test_tools_are_told(tools: tuple[Json, ...], expected: tuple[str, str], words: str) -> None:
    found = conditions(Facts("PodRunning", running=True, tools=tools), {}, 1, NOW)
    assert told({"conditions": found})["ToolsReady"] == expected
    assert next(one["message"] for one in found if one["type"] == "ToolsReady") == words


def test_without_mcp_servers_nothing_is_said_of_tools() -> None:
    assert "ToolsReady" not in told({"conditions": conditions(Facts("PodRunning", running=True), {}, 1, NOW)})


def test_what_the_last_attempt_said_of_tools_stays_until_the_next_one_speaks() -> None:
    before = {"conditions": [condition("ToolsReady", "False", "ToolsDegraded", "docs: refused", since=ago(500))]}
    kept = next(one for one in conditions(Facts("PodPending"), before, 2, NOW) if one["type"] == "ToolsReady")
    assert (kept["status"], kept["message"], kept["lastTransitionTime"]) == ("False", "docs: refused", stamp(ago(500)))
    fresh = conditions(Facts("Completed", finished=True, tools=(CONNECTED,)), before, 2, NOW)
    assert [one["status"] for one in fresh if one["type"] == "ToolsReady"] == ["True"]
