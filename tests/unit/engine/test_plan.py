"""Plans as values: what a plan says when nobody says anything, and that nobody can change it afterwards."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from stint.engine.plan import Create, Delete, EventRecord, Plan, Refusal, Stalled, Waiting
from stint.kube.resources import PODS


def test_an_empty_plan_leaves_everything_as_it_is() -> None:
    plan = Plan()
    assert plan.status is None
    assert (plan.delete, plan.create, plan.events, plan.look_again) == ((), (), (), None)
    assert not plan.delete_first


def test_a_creation_has_one_owner_unless_it_says_so() -> None:
    assert not Create(PODS, {}).shared


def test_who_waits_without_a_time_waits_for_something_else_to_change() -> None:
    assert Waiting("Reason", "words").until is None


@pytest.mark.parametrize(
    "value",
    [
        Plan(),
        Create(PODS, {}),
        Delete(PODS, "a", "b", "c"),
        EventRecord("A", "b"),
        Refusal("Pod", "a", "B", "c"),
        Waiting("A", "b"),
        Stalled("A", "b"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_was_decided_cannot_be_changed(value: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, "another")
