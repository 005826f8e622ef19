"""Reading and writing objects: nothing is lost, strangers are ignored, and what cannot be read gives one sentence."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.manifests import table
from stint.api.agent import Agent
from stint.api.base import InvalidObject, camel
from stint.api.crd import KINDS
from stint.api.scalars import DURATION, seconds, usd
from stint.api.session import AgentSession, SessionSpec
from stint.api.status import Attempt, SessionError, SessionStatus

CASES = table()
FULL = {case.name: case.manifest for case in CASES.good}["everything at once"]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES.good])
def test_a_manifest_comes_back_as_it_was(case: object) -> None:
    manifest = case.manifest  # type: ignore[attr-defined]
    model = {kind.name: kind.model for kind in KINDS}[manifest["kind"]]

    written = model.read(manifest).model_dump(mode="json", by_alias=True, exclude_unset=True)

    assert written["metadata"].get("name") == manifest["metadata"].get("name")
    assert _quantities(written["spec"]) == _quantities(manifest["spec"])


def _quantities(value: object) -> object:
    """Quantities may be numbers in YAML; the models hold them as strings."""
    if isinstance(value, dict):
        return {
            key: {name: str(amount) for name, amount in inner.items()}
            if key in ("requests", "limits") and isinstance(inner, dict)
            else _quantities(inner)
            for key, inner in value.items()
        }
    return [_quantities(inner) for inner in value] if isinstance(value, list) else value


def test_a_status_comes_back_as_it_was() -> None:
    assert SessionStatus.read(CASES.status).dump() == CASES.status


def test_a_status_is_compared_by_value() -> None:
    assert SessionStatus.read(CASES.status) == SessionStatus.read(CASES.status)
    assert SessionStatus.read(CASES.status) != SessionStatus()


def test_fields_are_written_by_their_python_names() -> None:
    error = SessionError(error_class="RateLimited", api_status=429, resets_at=datetime(2026, 11, 21, 15, tzinfo=UTC))
    assert error.dump() == {"class": "RateLimited", "apiStatus": 429, "resetsAt": "2026-11-21T15:00:00Z"}
    assert Attempt(attempt=1, pod_uid="a").dump()["podUID"] == "a"
    assert SessionSpec(prompt="x", agent=Agent(mcp_servers=[])).dump()["agent"]["mcpServers"] == []


def test_groups_of_optional_fields_are_never_none() -> None:
    spec = AgentSession.read({"spec": {"prompt": "x"}}).spec
    assert (spec.agent.model, spec.agent.repository.settings, spec.workspace.git, spec.limits.cost) == (None, None, None, None)
    assert (spec.retry.backoff.max, spec.pod_template.labels, spec.priority, spec.suspend, spec.cancel) == (None, None, 0, False, False)


def test_fields_of_a_newer_version_are_ignored() -> None:
    session = AgentSession.read({"spec": {"prompt": "x", "mood": "good", "agent": {"model": "a", "spirit": 1}}, "extra": {}})
    assert session.spec.agent.model == "a"


def test_what_an_older_schema_let_through_can_still_be_read() -> None:
    session = AgentSession.read({"spec": {"prompt": "x" * 70_000, "limits": {"timeout": "1 hour"}, "retry": {"limit": 99}}})
    assert session.spec.retry.limit == 99


def test_what_cannot_be_read_gives_one_sentence() -> None:
    with pytest.raises(InvalidObject, match=r"^spec\.agent\.effort: Input should be .* \(and 1 more\)$"):
        AgentSession.read({"spec": {"agent": {"effort": "huge"}, "priority": "high"}})


def test_models_are_immutable() -> None:
    session = AgentSession.read(FULL)
    with pytest.raises(ValueError, match="frozen"):
        session.spec.prompt = "else"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("session_id", "sessionID"), ("pod_uid", "podUID"), ("base_url", "baseURL"), ("cache_write_5m", "cacheWrite5m"), ("url", "url")],
)
def test_names_in_yaml(name: str, expected: str) -> None:
    assert camel(name) == expected


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("1h30m", 5400), ("500ms", 0.5), ("1.5h", 5400), ("10m", 600)])
def test_seconds_of_a_duration(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "90", "1 h", "-1s", "1d", "h", "1h\n"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


@given(st.from_regex(DURATION.replace("$", r"\Z"), alphabet="0123456789.hms"))
def test_whatever_the_schema_accepts_can_be_read(text: str) -> None:
    assert seconds(text) >= 0


def test_money_is_exact() -> None:
    assert usd("0.1") + usd("0.2") == Decimal("0.3")


@pytest.mark.parametrize("text", ["", "1e3", "NaN", "-1", "1.", "$1", "1\n"])
def test_what_is_no_money(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        usd(text)
