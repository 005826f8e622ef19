"""The mock API on a loopback port, as it runs in a pod."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from mockapi.app import running
from mockapi.state import Mock, Options
from unit.mockapi.calls import Api


@pytest.fixture
def options() -> Options:
    return Options()


@pytest.fixture
async def api(options: Options) -> AsyncIterator[Api]:
    mock = Mock(options)
    async with running(mock) as url, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        yield Api(url, http, mock)
