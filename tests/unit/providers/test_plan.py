"""The status of a ModelProvider."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stint.api.provider import ProviderSpec
from stint.providers.plan import Observed, plan
from stint.sessions.observed import Presence

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SPEC = ProviderSpec.read({"credential": {"secretRef": {"name": "claude", "key": "token"}}})


def seen(
    presence: Presence = "there", shared: bool = False, spec: ProviderSpec | None = SPEC, invalid: str = "", status: dict[str, Any] | None = None
) -> Observed:
    return Observed(
        now=NOW, namespace="team-a", generation=3, status=status or {}, spec=spec, invalid=invalid, shared=shared, presence=presence,
        recheck_seconds=60.0,
    )  # fmt: skip


def conditions(observed: Observed) -> dict[str, tuple[str, str, str]]:
    status = plan(observed).status
    assert status is not None
    assert {one["observedGeneration"] for one in status["conditions"]} == {3}
    return {one["type"]: (one["status"], one["reason"], one["message"]) for one in status["conditions"]}


@pytest.mark.parametrize("shared", [True, False])
def test_a_provider_whose_credential_is_there_is_ready(shared: bool) -> None:
    assert conditions(seen("there", shared)) == {
        "Ready": ("True", "CredentialFound", "key token of Secret claude is there"),
        "Reconciling": ("False", "CredentialFound", ""),
        "Stalled": ("False", "CredentialFound", ""),
    }


@pytest.mark.parametrize("presence", ["object missing", "key missing"])
def test_a_shared_provider_needs_no_secret_of_its_own(presence: Presence) -> None:
    ready = conditions(seen(presence, shared=True))["Ready"]
    assert ready == ("True", "Shared", "serves all namespaces; sessions use Secret claude (key token) of their own namespace")


@pytest.mark.parametrize(
    ("presence", "reason", "message"),
    [
        ("object missing", "SecretMissing", "Secret claude is missing in namespace team-a: create it with key token"),
        ("key missing", "SecretKeyMissing", "Secret claude in namespace team-a has no key token: add it"),
    ],
)
def test_a_provider_without_credential_is_stalled_and_says_what_to_do(presence: Presence, reason: str, message: str) -> None:
    assert conditions(seen(presence)) == {
        "Ready": ("False", reason, message), "Reconciling": ("False", reason, ""), "Stalled": ("True", reason, message),
    }  # fmt: skip


@pytest.mark.parametrize("shared", [True, False])
def test_a_provider_that_cannot_be_read_is_stalled_and_not_looked_at_again(shared: bool) -> None:
    observed = seen("object missing", shared, spec=None, invalid="spec.type: what?")
    assert conditions(observed)["Stalled"] == ("True", "InvalidSpec", "spec.type: what?")
    assert plan(observed).look_again is None


@pytest.mark.parametrize("presence", ["there", "object missing", "key missing"])
def test_the_secret_is_looked_for_again_because_nobody_watches_secrets(presence: Presence) -> None:
    assert plan(seen(presence)).look_again == NOW + timedelta(seconds=60)


def test_other_parts_of_the_status_stay_and_deciding_twice_changes_nothing() -> None:
    first = plan(seen(status={"other": 1, "observedGeneration": 2})).status
    assert first is not None
    assert (first["other"], first["observedGeneration"]) == (1, 3)
    assert plan(seen(status=dict(first))).status == first
