"""A quiet world, and a story told in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulation.story import Story
from simulation.world import World, quiet_world


@pytest.fixture
def world() -> Iterator[World]:
    with quiet_world() as found:
        yield found


@pytest.fixture
def story(world: World) -> Story:
    return Story(world)
