"""A pod with a gateway, for each test its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from unit.runner.kit import FakeGateway, Pod


@pytest.fixture
async def pod(tmp_path: Path) -> AsyncIterator[Pod]:
    gateway = FakeGateway()
    server = await gateway.serve()
    yield Pod(tmp_path / "pod", gateway)
    server.close()
