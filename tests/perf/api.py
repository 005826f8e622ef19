"""A client of the API server for the load: aiohttp on one pool, objects as they come, no retries, because a retry would hide what is measured."""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from perf.manifests import Json

WHOLE = "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Refused(Exception):
    """The API server said no."""


class Api:
    """The API server of a kubeconfig, as the user of that kubeconfig."""

    def __init__(self, kubeconfig: Path, connections: int) -> None:
        config = orjson.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]))
        with tempfile.NamedTemporaryFile("w") as file:  # the ssl module loads client certificates from files only
            file.write(_decoded(user["client-certificate-data"]) + _decoded(user["client-key-data"]))
            file.flush()
            context.load_cert_chain(file.name)
        connector = aiohttp.TCPConnector(limit=connections, ssl=context)
        self.session = aiohttp.ClientSession(cluster["server"], connector=connector, timeout=aiohttp.ClientTimeout(total=None, sock_connect=5))

    async def get(self, path: str, accept: str = WHOLE, **params: str) -> Json:
        async with self.session.get(path, params=params, headers={"Accept": accept}) as response:
            return await _json(response)

    async def text(self, path: str, **params: str) -> str:
        """A log."""
        async with self.session.get(path, params=params) as response:
            return await response.text(errors="replace")

    async def post(self, path: str, body: bytes) -> Json:
        async with self.session.post(path, data=body, headers={"Content-Type": "application/json"}) as response:
            return await _json(response)

    async def version(self, path: str) -> str:
        """The resourceVersion from which to watch a collection."""
        listed = await self.get(path, METADATA_LIST, limit="1")
        return str(listed["metadata"]["resourceVersion"])

    async def some(self, path: str, selector: str) -> bool:
        """Whether any object of a collection has these fields."""
        listed = await self.get(path, METADATA_LIST, fieldSelector=selector, limit="1")
        return bool(listed["items"])

    async def watch(self, path: str, version: str, accept: str = WHOLE) -> AsyncIterator[Json]:
        """Events after ``version``."""
        while True:
            params = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "3000"}
            async with self.session.get(path, params=params, headers={"Accept": accept}) as response:
                response.raise_for_status()
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in filter(None, lines):
                        event = orjson.loads(line)
                        version = event["object"]["metadata"]["resourceVersion"]
                        yield event


async def _json(response: aiohttp.ClientResponse) -> Json:
    text = await response.read()
    if response.status >= 300:
        raise Refused(f"{response.method} {response.url.path}: {response.status} {text[:300].decode(errors='replace')}")
    found: dict[str, Any] = orjson.loads(text)
    return found


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()
