"""A session as budgets see it: what they select it by, what it has used, what runs, and what it asks for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.api.provider import DEFAULT_MODEL
from stint.budgets.amounts import Amounts, amounts
from stint.budgets.facts import Running
from stint.sessions.names import RESERVED_ANNOTATION
from stint.sessions.subject import session_of, waiter_of
from unit.sessions.builders import NAMESPACE, SETTINGS, UID, Gone, ago, attempt, ended_pod, observed, profile, provider, running_pod, session, status

NOBODY: dict[str, str] = {}
EPHEMERAL: Json = {"workspace": {"ephemeral": True}}
RESERVED = {RESERVED_ANNOTATION: json.dumps({"cost": "0.5", "tokens": 300, "lowered": True})}


def spent(cost: str, tokens: int = 0, *, estimated: bool = False) -> Json:
    figures = pod_status.counts(cost, input_tokens=tokens, output_tokens=0)
    return status(history=[attempt(1, "Disrupted", "PodLost", **figures, estimated=estimated)], usage={**figures, "estimated": estimated})


# What it is selected by


def test_a_session_is_known_by_its_labels_and_those_of_its_namespace() -> None:
    found = session_of(observed(session(labels={"team": "search"})), {"tier": "gold"})
    assert found.uid == UID
    assert (found.subject.namespace, found.subject.labels, found.subject.namespace_labels) == (NAMESPACE, {"team": "search"}, {"tier": "gold"})


def test_a_session_without_labels_has_none() -> None:
    assert session_of(observed(), NOBODY).subject.labels == {}


STAMPED = {"stint.dev/created-by": "alice", "stint.dev/created-by-groups": "devs\nCN=a,OU=b"}


@pytest.mark.parametrize(
    ("annotations", "guarded", "expected"),
    [
        (STAMPED, True, ("alice", ("devs", "CN=a,OU=b"))),
        (STAMPED, False, ("unknown", ())),
        ({}, True, ("unknown", ())),
        ({"stint.dev/created-by-groups": "devs"}, True, ("unknown", ())),
    ],
    ids=["stamped", "nobody guards the stamp", "from before", "half a stamp"],
)
def test_who_created_it_is_who_was_stamped_where_that_cannot_be_forged(annotations: Json, guarded: bool, expected: tuple[str, tuple[str, ...]]) -> None:
    seen = observed(session(annotations=annotations, labels={"user": "bob"}))
    subject = session_of(replace(seen, settings=SETTINGS.model_copy(update={"creators_known": guarded})), NOBODY).subject
    assert (subject.user, subject.groups) == expected


@pytest.mark.parametrize(
    ("spec", "base", "expected"),
    [
        ({}, None, ("default", "default", DEFAULT_MODEL)),
        ({"podTemplate": {"serviceAccountName": "robot"}, "agent": {"model": "m"}}, None, ("robot", "default", "m")),
        ({"profileRef": {"name": "bug-fixer"}}, {"podTemplate": {"serviceAccountName": "fixer"}, "agent": {"model": "p"}}, ("fixer", "default", "p")),
        ({"profileRef": {"name": "bug-fixer"}}, None, ("default", "", "")),
    ],
    ids=["as it comes", "of its own", "of its profile", "its profile is missing"],
)
def test_service_account_provider_and_model_are_those_that_it_will_run_with(spec: Json, base: Json | None, expected: tuple[str, str, str]) -> None:
    subject = session_of(observed(session(spec), profile=profile(base) if base else None), NOBODY).subject
    assert (subject.service_account, subject.provider, subject.model) == expected


def test_its_provider_is_the_one_that_it_names() -> None:
    seen = observed(session({"providerRef": {"name": "other"}}), provider=provider(name="other"))
    assert session_of(seen, NOBODY).subject.provider == "other"


# What it has used, and what runs


def test_attempts_that_are_over_count_with_what_they_used() -> None:
    found = session_of(observed(session(status=spent("0.75", 400))), NOBODY)
    assert found.settled[1].used == amounts("0.75", 400, 400, 0)
    assert found.running is None


def test_a_pod_runs_from_its_creation_and_holds_what_is_written_on_it() -> None:
    found = session_of(observed(pods=[running_pod(annotations=RESERVED)]), NOBODY)
    assert found.running == Running(1, ago(35), amounts("0.5", 300))


def test_a_pod_that_names_no_reservation_holds_what_the_budget_sets_aside() -> None:
    running = session_of(observed(pods=[running_pod()]), NOBODY).running
    assert running is not None
    assert running.request == Amounts()


@pytest.mark.parametrize("item", [ended_pod(pod_status.result()), Gone(running_pod())], ids=["ended", "gone"])
def test_an_attempt_runs_until_it_is_settled(item: Json | Gone) -> None:
    running = session_of(observed(pods=[item]), NOBODY).running
    assert running is not None
    assert running.attempt == 1


def test_the_pod_of_a_settled_attempt_runs_no_more() -> None:
    found = session_of(observed(session(status=spent("1")), pods=[ended_pod(pod_status.result())]), NOBODY)
    assert found.running is None


# What it asks for


def test_a_session_waits_with_its_next_attempt_its_age_and_its_priority() -> None:
    found = waiter_of(observed(session({"priority": 7}, spent("1"), creationTimestamp=stamp(ago(900)))))
    assert (found.uid, found.attempt, found.namespace, found.created, found.priority) == (UID, 2, NAMESPACE, ago(900), 7)


LEFT: list[Any] = [
    pytest.param({}, status(), amounts(), id="it names nothing: the default limit is not its own word"),
    pytest.param({"limits": {"cost": "2"}}, status(), amounts("2"), id="cost"),
    pytest.param({"limits": {"cost": "2"}}, spent("0.75"), amounts("1.25"), id="what was used is gone"),
    pytest.param({"limits": {"tokens": 1000}}, spent("0.75", 400), amounts(None, 600), id="tokens"),
    pytest.param({"limits": {"cost": "2"}}, spent("0.75", estimated=True), amounts("2"), id="an estimate that the journal will replace"),
    pytest.param({"limits": {"cost": "2"}, **EPHEMERAL}, spent("0.75", estimated=True), amounts("1.25"), id="an estimate that nothing will replace"),
]


@pytest.mark.parametrize(("spec", "before", "left"), LEFT)
def test_a_session_asks_for_what_its_own_limits_leave(spec: Json, before: Json, left: Amounts) -> None:
    assert waiter_of(observed(session(spec, before))).left == left


def test_a_limit_of_its_profile_is_its_own_word() -> None:
    seen = observed(session({"profileRef": {"name": "bug-fixer"}}), profile=profile({"limits": {"cost": "3"}}))
    assert waiter_of(seen).left == amounts("3")
