"""The Secrets and ConfigMaps that a session's pod will need."""

from __future__ import annotations

from typing import Any

import pytest

from simulation.pod_status import Json
from stint.sessions.references import Reference, references
from unit.sessions.builders import observed, provider, session
from unit.sessions.kit import read_provider

CREDENTIAL = Reference("Secret", "anthropic", "api-key")
SECRET: Json = {"secretKeyRef": {"name": "s", "key": "k"}}
MAP: Json = {"configMapKeyRef": {"name": "m", "key": "k"}}
FROM_SECRET, FROM_MAP = Reference("Secret", "s", "k"), Reference("ConfigMap", "m", "k")


def needed(spec: Json | None = None, provider_spec: Json | None = None) -> tuple[Reference, ...]:
    seen = observed(session(spec))
    assert seen.spec is not None
    assert seen.resolved is not None
    return references(seen.spec, seen.resolved, read_provider(provider(provider_spec)).spec)


CASES: list[Any] = [
    pytest.param({}, [], id="the credential alone"),
    pytest.param({"promptFrom": SECRET}, [FROM_SECRET], id="a prompt from a Secret"),
    pytest.param({"promptFrom": MAP}, [FROM_MAP], id="a prompt from a ConfigMap"),
    pytest.param({"workspace": {"files": [{"path": "a", **SECRET}, {"path": "b", **MAP}, {"path": "c", "content": "x"}]}}, [FROM_SECRET, FROM_MAP], id="files"),
    pytest.param(
        {"agent": {"env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": SECRET}, {"name": "C", "valueFrom": MAP}]}}, [FROM_SECRET, FROM_MAP],
        id="variables",
    ),
    pytest.param(
        {"agent": {"mcpServers": [{"name": "x", "type": "stdio", "command": "c", "env": [{"name": "A", "valueFrom": SECRET}]},
                                  {"name": "y", "type": "http", "url": "https://h", "headers": [{"name": "H", "valueFrom": MAP}]}]}},
        [FROM_SECRET, FROM_MAP], id="MCP servers",
    ),
    pytest.param(
        {"podTemplate": {"envFrom": [{"configMapRef": {"name": "m"}}, {"secretRef": {"name": "s"}}]}},
        [Reference("ConfigMap", "m", None), Reference("Secret", "s", None)], id="whole objects as variables",
    ),
    pytest.param({"workspace": {"git": {"url": "https://h/x", "secretRef": {"name": "git"}}}}, [Reference("Secret", "git", None)], id="a private repository"),
    pytest.param({"workspace": {"git": {"url": "https://h/x"}}}, [], id="a public repository"),
    pytest.param({"promptFrom": SECRET, "agent": {"env": [{"name": "B", "valueFrom": SECRET}]}}, [FROM_SECRET], id="the same key twice"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "more"), CASES)
def test_everything_that_the_pod_needs_is_asked_for_once(spec: Json, more: list[Reference]) -> None:
    assert needed(spec) == (CREDENTIAL, *more)


def test_the_credential_is_the_one_that_the_provider_names() -> None:
    assert needed({}, {"credential": {"secretRef": {"name": "mine", "key": "token"}}}) == (Reference("Secret", "mine", "token"),)


def test_a_reference_reads_as_a_person_would_say_it() -> None:
    assert str(FROM_MAP) == "ConfigMap m (key k)"
    assert str(Reference("Secret", "s", None)) == "Secret s"
