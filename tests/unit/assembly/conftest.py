"""An assembly whose process keeps its own garbage."""

from __future__ import annotations

import pytest

from stint.assembly import Assembly
from stint.sessions.expiry import SESSIONS
from stint.settings import Settings
from unit.assembly.kit import Collector, line
from unit.cluster_kit import SmallCluster
from unit.engine.kit import key, thing


@pytest.fixture(autouse=True)
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    collector = Collector()
    monkeypatch.setattr("stint.assembly.gc", collector)
    return collector


@pytest.fixture
async def assembly() -> Assembly:
    """Not running; the session ``fix`` and who waits for the profile ``coder`` are known, and nothing is in line."""
    assembly = Assembly(Settings(), SmallCluster())
    assembly.changed(SESSIONS, thing(version=5), gone=False)
    assembly.waiters.wait(key("waits"), [("AgentProfile", "coder")])
    assembly.waiters.wait(key("elsewhere", namespace="team-b"), [("AgentProfile", "coder")])
    await line(assembly)
    return assembly
