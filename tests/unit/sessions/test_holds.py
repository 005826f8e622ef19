"""Why a session does not start: every rule, its words, and their order."""

from __future__ import annotations

from typing import Any

import pytest

from simulation import pod_status
from simulation.pod_status import Json, stamp
from stint.engine.plan import Refusal, Stalled, Waiting
from stint.sessions.holds import START_RULES, hold
from stint.sessions.observed import Observed, Presence, Source
from stint.sessions.references import Reference
from unit.sessions.builders import NAMESPACE, NOW, ago, ahead, attempt, finished_status, observed, provider, session, status

SECRET = Reference("Secret", "anthropic", "api-key")
MAP = Reference("ConfigMap", "texts", "prompt")
EARLIER: Json = {"continueFrom": {"name": "earlier"}}
WITH_PROFILE: Json = {"profileRef": {"name": "bug-fixer"}}
EPHEMERAL: Json = {"workspace": {"ephemeral": True}}


def spent(cost: str = "0", tokens: int = 0, *, estimated: bool = False, **more: Any) -> Json:
    """A status after one attempt that used so much."""
    figures = pod_status.counts(cost, input_tokens=tokens, output_tokens=0)
    entry = attempt(1, "Disrupted", "PodLost", **figures, estimated=estimated)
    return status(history=[entry], usage={**figures, "estimated": estimated}, **more)


def unreadable() -> Json:
    item = session()
    item["spec"]["suspend"] = ["no"]
    return item


def at_rest(*, over: bool = True, ephemeral: bool = False) -> Source:
    return Source("uid-of-earlier", over, ephemeral)


HELD: list[Any] = [
    pytest.param(observed(unreadable()), Stalled, "InvalidSpec", "suspend", id="the spec cannot be read"),
    pytest.param(
        observed(session(WITH_PROFILE)), Waiting, "ProfileNotFound",
        "AgentProfile bug-fixer in namespace team-a or stint-system: create it, and the session starts. profileRef cannot be changed", id="no profile",
    ),
    pytest.param(observed(no_provider=True), Waiting, "ProviderNotFound", "ModelProvider default in namespace team-a or stint-system", id="no provider"),
    pytest.param(
        observed(session({"agent": {"outputSchema": {"type": 7}}})), Stalled, "InvalidOutputSchema", "agent.outputSchema is not a JSON schema: type",
        id="a schema that is none",
    ),
    pytest.param(observed(session(status=spent("5"))), Stalled, "BudgetReached", "limits.cost is used up; raise", id="the default limit is used up"),
    pytest.param(
        observed(session({"limits": {"cost": "1.5"}}, status=spent("1.50"))), Stalled, "BudgetReached", "raise spec.limits.cost", id="its own limit is used up",
    ),
    pytest.param(
        observed(session({"limits": {"tokens": 100}}, status=spent("0.1", 100))), Stalled, "BudgetReached", "limits.tokens is used up; raise",
        id="its tokens are used up",
    ),
    pytest.param(
        observed(session({"limits": {"tokens": 100}}, status=spent("5", 100))), Stalled, "BudgetReached", "limits.tokens", id="both are used up",
    ),
    pytest.param(
        observed(session(EPHEMERAL, status=spent("5", estimated=True))), Stalled, "BudgetReached", "limits.cost",
        id="an estimate counts where no volume tells the truth",
    ),
    pytest.param(
        observed(session({"limits": {"timeout": "10m"}}, status=spent("1", activeSeconds=600))), Stalled, "Timeout", "raise spec.limits.timeout",
        id="its time is used up",
    ),
    pytest.param(
        observed(presence={SECRET: "object missing"}), Waiting, "SecretMissing",
        "Secret anthropic is missing in namespace team-a: create it with key api-key, and", id="no Secret",
    ),
    pytest.param(observed(presence={SECRET: "key missing"}), Waiting, "SecretKeyMissing", "key api-key of Secret anthropic is missing", id="no key in it"),
    pytest.param(observed(presence={MAP: "object missing"}), Waiting, "ConfigMapMissing", "ConfigMap texts is missing", id="no ConfigMap"),
    pytest.param(observed(presence={MAP: "key missing"}), Waiting, "ConfigMapKeyMissing", "key prompt of ConfigMap texts", id="no key in the ConfigMap"),
    pytest.param(observed(session(EARLIER)), Waiting, "SourceNotFound", "there is no AgentSession earlier in namespace team-a", id="no source"),
    pytest.param(
        observed(session(EARLIER), source=at_rest(ephemeral=True)), Stalled, "SourceHasNoVolume", "session earlier was ephemeral", id="a source without volume",
    ),
    pytest.param(
        observed(session(EARLIER), source=at_rest(over=False)), Waiting, "SourceNotFinished", "neither finished nor suspended", id="a source that still runs",
    ),
    pytest.param(
        observed(session(EARLIER, status=status(history=[attempt(1, "Disrupted", "Evicted", requests=0)]))), Waiting, "SourceNotFound", "earlier",
        id="a source that is gone before anything was copied",
    ),
    pytest.param(
        observed(session({**EARLIER, **EPHEMERAL}, status=status(history=[attempt(1, "Disrupted", "Evicted", requests=3)]))), Waiting, "SourceNotFound",
        "earlier", id="a source that is gone, with the copy in a pod that is gone",
    ),
    pytest.param(
        observed(session(status=status(history=[attempt(1, "Failed", "Overloaded")], nextRetryTime=stamp(ahead(9)), attempt=1,
                                       result={"error": {"class": "Overloaded", "message": "busy"}}))),
        Waiting, "BackingOff", "attempt 1 failed (Overloaded): busy", id="it failed a moment ago",
    ),
    pytest.param(
        observed(refusal=Refusal("Pod", "fix-test-1", "Forbidden", "exceeded quota")), Waiting, "PodRefused",
        "the API server refused Pod fix-test-1: exceeded quota", id="the API server refuses the pod",
    ),
    pytest.param(
        observed(refusal=Refusal("Pod", "fix-test-1", "NameTaken", "taken")), Waiting, "NameTaken", "fix-test-1: taken", id="another pod has the name",
    ),
    pytest.param(
        observed(refusal=Refusal("Pod", "fix-test-1", "NamespaceTerminating", "going")), Waiting, "NamespaceTerminating", "going", id="the namespace goes",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "kind", "reason", "words"), HELD)
def test_a_session_is_held_and_says_why(seen: Observed, kind: type[Waiting | Stalled], reason: str, words: str) -> None:
    found = hold(seen)
    assert isinstance(found, kind)
    assert found.reason == reason
    assert words in found.message


FREE: list[Any] = [
    pytest.param(observed(), id="a new one"),
    pytest.param(observed(presence={SECRET: "there", MAP: "there"}), id="everything it names is there"),
    pytest.param(observed(session({"agent": {"outputSchema": {"type": "object"}}})), id="a schema that is one"),
    pytest.param(observed(session(status=spent("4.99"))), id="a cent is left"),
    pytest.param(observed(session({"limits": {"tokens": 100}}, status=spent("0", 99))), id="a token is left"),
    pytest.param(observed(session({"limits": {"cost": "6"}}, status=spent("5"))), id="the limit was raised"),
    pytest.param(observed(session(status=spent("5", estimated=True))), id="an estimate that the volume's journal will replace"),
    pytest.param(observed(session({"limits": {"timeout": "10m"}}, status=spent("1", activeSeconds=599))), id="a second is left"),
    pytest.param(
        observed(session({"limits": {"timeout": "10m"}, "retryRequest": stamp(ago(1))}, status=finished_status(activeSeconds=600))),
        id="a run that begins again has all its time",
    ),
    pytest.param(observed(session(EARLIER), source=at_rest()), id="a source at rest"),
    pytest.param(
        observed(session(EARLIER, status=status(history=[attempt(1, "Failed", "ServerError", requests=1)]))),
        id="a source that is gone, but the conversation was copied to the own volume",
    ),
    pytest.param(observed(session(status=status(history=[attempt(1, "Failed", "Overloaded")], nextRetryTime=stamp(NOW)))), id="the backoff is over"),
]


@pytest.mark.parametrize("seen", FREE)
def test_a_session_is_free_to_start(seen: Observed) -> None:
    assert hold(seen) is None


@pytest.mark.parametrize(
    ("seen", "until"),
    [
        pytest.param(observed(no_provider=True), None, id="a provider wakes it"),
        pytest.param(observed(presence={SECRET: "object missing"}), ahead(60), id="a Secret is asked for again"),
        pytest.param(
            observed(session(creationTimestamp=stamp(ago(1))), presence={SECRET: "object missing"}), ahead(2),
            id="and soon by a new session: the answer may be older than the Secret",
        ),
        pytest.param(observed(refusal=Refusal("Pod", "x", "Forbidden", "no")), ahead(30), id="a refused pod is tried again"),
        pytest.param(
            observed(session(status=status(history=[attempt(1, "Failed", "Overloaded")], nextRetryTime=stamp(ahead(9))))), ahead(9), id="a backoff ends"
        ),
    ],
)
def test_a_session_that_waits_knows_when_to_look_again(seen: Observed, until: object) -> None:
    found = hold(seen)
    assert isinstance(found, Waiting)
    assert found.until == until


@pytest.mark.parametrize(
    ("seen", "named"),
    [
        (observed(session(WITH_PROFILE)), ("AgentProfile", "bug-fixer")),
        (observed(no_provider=True), ("ModelProvider", "default")),
        (observed(presence={MAP: "key missing"}), ("ConfigMap", "texts")),
        (observed(session(EARLIER)), ("AgentSession", "earlier")),
        (observed(refusal=Refusal("Pod", "fix-test-1", "Forbidden", "no")), ("Pod", "fix-test-1")),
    ],
)
def test_what_is_waited_for_is_named_for_programs(seen: Observed, named: tuple[str, str]) -> None:
    found = hold(seen)
    assert isinstance(found, Waiting)
    assert (found.kind, found.name) == named


def test_the_first_reference_that_is_missing_is_the_one_that_is_told() -> None:
    presence: dict[Reference, Presence] = {SECRET: "there", MAP: "key missing", Reference("Secret", "git", None): "object missing"}
    found = hold(observed(presence=presence))
    assert found is not None
    assert found.reason == "ConfigMapKeyMissing"


def test_rules_are_asked_in_the_order_in_which_a_person_would_repair_them() -> None:
    names = [rule.__name__ for rule in START_RULES]
    assert names == [
        "cannot_be_read", "waits_for_profile", "waits_for_provider", "has_invalid_output_schema", "has_used_its_limits",
        "has_used_its_reservation", "waits_for_references", "waits_for_source", "waits_for_traffic", "backs_off", "was_refused", "waits_for_budgets",
    ]  # fmt: skip


def test_a_missing_provider_is_told_before_a_used_up_limit() -> None:
    found = hold(observed(session(status=spent("5")), no_provider=True))
    assert found is not None
    assert found.reason == "ProviderNotFound"


def test_a_used_up_limit_is_told_before_a_missing_secret() -> None:
    found = hold(observed(session(status=spent("5")), presence={SECRET: "object missing"}))
    assert found is not None
    assert found.reason == "BudgetReached"


def test_a_provider_of_the_sessions_own_choice_is_the_one_that_is_missing() -> None:
    found = hold(observed(session({"providerRef": {"name": "other"}}), no_provider=True))
    assert isinstance(found, Waiting)
    assert found.name == "other"


def test_a_retry_whose_time_has_come_is_not_held() -> None:
    item = session(status=status(history=[attempt(1, "Failed", "Overloaded")], nextRetryTime=stamp(ago(1))), namespace=NAMESPACE)
    assert hold(observed(item, provider=provider())) is None
