"""Settings from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from stint.settings import PRIVATE_RANGES, Settings, settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("STINT_")]:
        monkeypatch.delenv(name)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_nothing_needs_to_be_set() -> None:
    read = Settings()
    assert (read.system_namespace, read.port, read.default_cost_limit) == ("stint-system", 8080, "5.00")
    assert read.network_policy.enabled
    assert "169.254.0.0/16" in read.network_policy.blocked_cidrs


def test_each_setting_is_a_variable_with_our_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STINT_WORKERS", "3")
    monkeypatch.setenv("STINT_AGENT_IMAGE", "registry.example/agent:1")
    monkeypatch.setenv("STINT_IMAGE_PULL_SECRETS", '["pull"]')
    monkeypatch.setenv("WORKERS", "99")
    read = Settings()
    assert (read.workers, read.agent_image, read.image_pull_secrets) == (3, "registry.example/agent:1", ["pull"])


def test_the_network_policy_is_read_as_the_chart_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "STINT_NETWORK_POLICY",
        '{"enabled": false, "blockedCIDRs": ["10.0.0.0/8"], "controllerSelector": {"app": "x"}, "dnsPorts": [54], "extraEgress": [{"ports": []}]}',
    )
    policy = Settings().network_policy
    assert not policy.enabled
    assert policy.blocked_cidrs == ["10.0.0.0/8"]
    assert (policy.controller_selector, policy.dns_ports, policy.extra_egress) == ({"app": "x"}, [54], [{"ports": []}])


def test_what_the_chart_leaves_out_keeps_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STINT_NETWORK_POLICY", '{"dnsPorts": [54]}')
    assert Settings().network_policy.blocked_cidrs == PRIVATE_RANGES


def test_a_value_of_the_wrong_type_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STINT_WORKERS", "many")
    with pytest.raises(ValidationError, match="workers"):
        Settings()


def test_the_process_reads_its_settings_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = settings()
    monkeypatch.setenv("STINT_WORKERS", "3")
    assert settings() is first
