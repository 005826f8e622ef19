"""The status of an AgentProfile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stint.profiles.plan import Observed, content_hash, plan

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
LONG_AGO = "2026-11-20T08:00:00Z"


def decided(invalid: str = "", status: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The whole status, and its conditions by type."""
    made = plan(Observed(NOW, 3, status or {}, {"agent": {"model": "m"}}, invalid))
    assert made.status is not None
    assert (made.create, made.delete, made.events, made.look_again) == ((), (), (), None)
    return dict(made.status), {condition["type"]: condition for condition in made.status["conditions"]}


def test_a_profile_that_can_be_read_is_ready() -> None:
    status, conditions = decided()
    assert status["observedGeneration"] == 3
    assert {name: (one["status"], one["reason"], one["message"]) for name, one in conditions.items()} == {
        "Ready": ("True", "Usable", ""), "Reconciling": ("False", "Usable", ""), "Stalled": ("False", "Usable", ""),
    }  # fmt: skip
    assert {one["observedGeneration"] for one in conditions.values()} == {3}


def test_a_profile_that_cannot_be_read_is_stalled_and_says_why() -> None:
    _, conditions = decided("agent.model: should be a string")
    assert {name: (one["status"], one["reason"], one["message"]) for name, one in conditions.items()} == {
        "Ready": ("False", "InvalidSpec", "agent.model: should be a string"),
        "Reconciling": ("False", "InvalidSpec", ""),
        "Stalled": ("True", "InvalidSpec", "agent.model: should be a string"),
    }


def test_when_it_became_ready_is_kept() -> None:
    _, conditions = decided(status={"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": LONG_AGO}]})
    assert conditions["Ready"]["lastTransitionTime"] == LONG_AGO
    assert conditions["Stalled"]["lastTransitionTime"] == "2026-11-21T12:00:00Z"


def test_deciding_twice_changes_nothing() -> None:
    first, _ = decided()
    again, _ = decided(status=first)
    assert again == first


def test_the_hash_depends_on_the_content_and_not_on_its_order() -> None:
    assert content_hash({"a": 1, "b": {"c": 2, "d": 3}}) == content_hash({"b": {"d": 3, "c": 2}, "a": 1})
    assert content_hash({"a": 1}) != content_hash({"a": 2})
    assert len(content_hash({})) == 64
    assert decided()[0]["contentHash"] == content_hash({"agent": {"model": "m"}})
