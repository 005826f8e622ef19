"""A pod with a gateway, and a repository, for each test its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from unit.runner.gitserver import Repository
from unit.runner.kit import FakeGateway, Pod


@pytest.fixture
async def pod(tmp_path: Path) -> AsyncIterator[Pod]:
    gateway = FakeGateway()
    server = await gateway.serve()
    yield Pod(tmp_path / "pod", gateway)
    await gateway.stop(server)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    (tmp_path / "served").mkdir()
    repository = Repository(tmp_path / "served/repo.git")
    repository.fill(tmp_path / "scratch")
    return repository
