"""What a session amounts to: its own fields over its profile's over the defaults."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from simulation.pod_status import Json
from stint.api.profile import ProfileSpec
from stint.api.session import SessionSpec
from stint.sessions.resolve import Resolved, resolve


def resolved(spec: Json | None = None, profile: Json | None = None, default: str = "5.00") -> Resolved:
    base = None if profile is None else ProfileSpec.read(profile)
    return resolve(SessionSpec.read({"prompt": "x", **(spec or {})}), base, default)


def test_a_session_that_says_nothing_gets_the_defaults() -> None:
    found = resolved()
    assert (found.provider, found.cost_limit, found.token_limit, found.timeout, found.start_timeout) == ("default", Decimal("5.00"), None, 3600, 300)
    assert (found.retry_limit, found.backoff_initial, found.backoff_factor, found.backoff_max) == (2, 10, 2, 600)
    assert found.ephemeral is False


FIELDS: list[Any] = [
    pytest.param("cost_limit", {"limits": {"cost": "2"}}, Decimal(2), id="cost"),
    pytest.param("token_limit", {"limits": {"tokens": 7}}, 7, id="tokens"),
    pytest.param("timeout", {"limits": {"timeout": "1h30m"}}, 5400, id="timeout"),
    pytest.param("start_timeout", {"limits": {"startTimeout": "90s"}}, 90, id="start timeout"),
    pytest.param("retry_limit", {"retry": {"limit": 0}}, 0, id="no retries at all"),
    pytest.param("backoff_initial", {"retry": {"backoff": {"initial": "3s"}}}, 3, id="first backoff"),
    pytest.param("backoff_factor", {"retry": {"backoff": {"factor": 5}}}, 5, id="backoff factor"),
    pytest.param("backoff_max", {"retry": {"backoff": {"max": "2m"}}}, 120, id="longest backoff"),
    pytest.param("provider", {"providerRef": {"name": "other"}}, "other", id="provider"),
    pytest.param("ephemeral", {"workspace": {"ephemeral": True}}, True, id="ephemeral"),
]


@pytest.mark.parametrize(("name", "given", "expected"), FIELDS)
def test_a_field_may_come_from_the_session_or_from_its_profile(name: str, given: Json, expected: object) -> None:
    assert getattr(resolved(given), name) == expected
    assert getattr(resolved({}, given), name) == expected


OVER: list[Any] = [
    pytest.param("cost_limit", {"limits": {"cost": "9"}}, {"limits": {"cost": "2"}}, Decimal(9), id="cost"),
    pytest.param("retry_limit", {"retry": {"limit": 0}}, {"retry": {"limit": 5}}, 0, id="retries"),
    pytest.param("provider", {"providerRef": {"name": "mine"}}, {"providerRef": {"name": "ours"}}, "mine", id="provider"),
    pytest.param("ephemeral", {"workspace": {"ephemeral": False}}, {"workspace": {"ephemeral": True}}, False, id="a volume again"),
    pytest.param("ephemeral", {"workspace": {"volume": {"size": "2Gi"}}}, {"workspace": {"ephemeral": True}}, False, id="who names a volume gets one"),
    pytest.param("ephemeral", {"workspace": {"ephemeral": True}}, {"workspace": {"volume": {"size": "2Gi"}}}, True, id="no volume after all"),
]


@pytest.mark.parametrize(("name", "spec", "profile", "expected"), OVER)
def test_the_session_wins_over_its_profile(name: str, spec: Json, profile: Json, expected: object) -> None:
    assert getattr(resolved(spec, profile), name) == expected


def test_limits_are_merged_field_by_field() -> None:
    found = resolved({"limits": {"tokens": 7}}, {"limits": {"cost": "2", "tokens": 9}})
    assert (found.cost_limit, found.token_limit) == (Decimal(2), 7)


def test_the_operators_default_limit_counts_where_nobody_names_one() -> None:
    assert resolved(default="0.10").cost_limit == Decimal("0.10")


def test_named_lists_are_merged_by_name_the_profiles_first() -> None:
    profile = {"agent": {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}}
    found = resolved({"agent": {"env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}}, profile)
    assert [(one.name, one.value) for one in found.agent.env or ()] == [("A", "1"), ("B", "3"), ("C", "4")]


def test_other_lists_are_replaced() -> None:
    profile: Json = {"agent": {"tools": ["Bash", "Read"]}, "workspace": {"files": [{"path": "a", "content": "x"}]}}
    found = resolved({"agent": {"tools": ["Grep"]}, "workspace": {"files": [{"path": "b", "content": "y"}]}}, profile)
    assert found.agent.tools == ["Grep"]
    assert [one.path for one in found.workspace.files or ()] == ["b"]


def test_an_empty_list_takes_the_profiles_items_away() -> None:
    profile = {"agent": {"env": [{"name": "A", "value": "1"}], "tools": ["Bash"]}}
    found = resolved({"agent": {"env": [], "tools": []}}, profile)
    assert (found.agent.env, found.agent.tools) == ([], [])


def test_maps_are_merged_by_key() -> None:
    found = resolved({"podTemplate": {"labels": {"a": "1", "b": "2"}}}, {"podTemplate": {"labels": {"b": "0", "c": "3"}}})
    assert found.pod_template.labels == {"a": "1", "b": "2", "c": "3"}


def test_objects_inside_objects_are_merged() -> None:
    found = resolved({"agent": {"repository": {"settings": True}}}, {"agent": {"repository": {"instructions": False}, "model": "m"}})
    assert (found.agent.repository.settings, found.agent.repository.instructions, found.agent.model) == (True, False, "m")


def test_a_repository_is_one_thing() -> None:
    profile = {"workspace": {"git": {"url": "https://h/ours", "ref": "main", "secretRef": {"name": "token"}}}}
    found = resolved({"workspace": {"git": {"url": "https://h/mine"}}}, profile).workspace.git
    assert found is not None
    assert (found.url, found.ref, found.secret_ref) == ("https://h/mine", None, None), "a profile's Secret is not for a session's URL"
    ours = resolved({}, profile).workspace.git
    assert ours is not None
    assert ours.url == "https://h/ours"


def test_without_fallbacks_there_are_none() -> None:
    assert resolved({"agent": {"model": "a"}}).agent.fallback_models is None


@pytest.mark.parametrize("limits", [{"cost": "much"}, {"timeout": "soon"}, {"startTimeout": "1 minute"}])
def test_what_cannot_be_read_is_an_error(limits: Json) -> None:
    with pytest.raises(ValueError):
        resolved({"limits": limits})


def test_a_profile_is_not_changed_by_the_sessions_that_use_it() -> None:
    base = ProfileSpec.read({"agent": {"model": "m"}})
    resolve(SessionSpec.read({"prompt": "x", "agent": {"model": "n"}}), base, "5")
    assert base.agent.model == "m"
