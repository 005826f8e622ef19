"""The client of the hot path: orjson on a pool of connections of our own.

The official client needs 0.4–0.6 ms of CPU per call, and a session makes three of them. The pool is bounded, so that a burst of sessions queues here
and not in the API server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import orjson

from stint.kube.connection import Answer, Connection
from stint.kube.errors import Unreachable, from_status
from stint.kube.pool import Pool
from stint.kube.resources import PODS, Resource
from stint.telemetry.requests import NO_ANSWER, answered

Json = dict[str, Any]
Body = Json | list[Json] | None
JSON, MERGE_PATCH, JSON_PATCH = "application/json", "application/merge-patch+json", "application/json-patch+json"
ONLY_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
REQUEST_TIMEOUT = 30.0  # seconds
SILENT_AT_MOST = 70.0
"""Seconds. A watch that stays silent for longer (bookmarks come every minute) is taken for dead."""
OVERLOADED = (429, 500, 502, 503, 504)


class KubeClient:
    """Requests to one API server. The pool comes with the login and is replaced when credentials are renewed."""

    def __init__(self, pool: Pool | None = None) -> None:
        self._pool = pool
        self._connected = asyncio.Event()
        if pool is not None:
            self._connected.set()

    def connect(self, pool: Pool) -> None:
        """Use this pool from now on (called by the login)."""
        self.close()
        self._pool = pool
        self._connected.set()

    def close(self) -> None:
        """Sign out: requests are refused until the next login; those under way may end."""
        if self._pool is not None:
            self._pool.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        return await self._json("GET", resource.path(namespace, name))

    async def create(self, resource: Resource, namespace: str, body: Json) -> Json:
        return await self._json("POST", resource.path(namespace), body)

    async def write_status(self, resource: Resource, namespace: str, name: str, *, version: str, uid: str, status: Mapping[str, Any]) -> Json:
        """Replace the status, if the object is still this very one at this version; else `Conflict`.

        A JSON patch, because a merge patch would drop the nulls that a structured output may hold.
        """
        operations: list[Json] = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        return await self._json("PATCH", resource.path(namespace, name, "status"), operations, content_type=JSON_PATCH)

    async def patch(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        return await self._json("PATCH", resource.path(namespace, name), body, content_type=MERGE_PATCH)

    async def replace(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        """Write the whole object, if it is still at the version that stands in ``body``; else `Conflict`."""
        return await self._json("PUT", resource.path(namespace, name), body)

    async def patch_json(self, resource: Resource, namespace: str, name: str, operations: list[Json]) -> Json:
        """Change an object by a JSON patch (RFC 6902)."""
        return await self._json("PATCH", resource.path(namespace, name), operations, content_type=JSON_PATCH)

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str | None = None, grace_seconds: int | None = None) -> Json:
        """Delete an object, only if it still has this uid; pods get ``grace_seconds``. The collector removes what it owns."""
        body: Json = {"propagationPolicy": "Background"}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        return await self._json("DELETE", resource.path(namespace, name), body)

    async def pages(
        self, resource: Resource, namespace: str | None = None, *, selector: str = "", chunk: int = 100
    ) -> AsyncIterator[tuple[list[Json], str]]:
        """Pages of a collection: (items, resourceVersion of the list)."""
        async for page in self._pages(resource, namespace, selector, chunk):
            yield page

    async def versions(self, resource: Resource, *, selector: str = "") -> dict[str, int]:
        """The version of every object, by uid: as the API server has them now, and no older. Only metadata are sent."""
        found: dict[str, int] = {}
        async for items, _ in self._pages(resource, None, selector, 500, accept=ONLY_METADATA):
            found |= {item["metadata"]["uid"]: int(item["metadata"]["resourceVersion"]) for item in items}
        return found

    async def _pages(
        self, resource: Resource, namespace: str | None, selector: str, chunk: int, accept: str = JSON
    ) -> AsyncIterator[tuple[list[Json], str]]:
        token = ""
        while True:
            params = {"limit": str(chunk), **({"labelSelector": selector} if selector else {}), **({"continue": token} if token else {})}
            page = await self._json("GET", resource.path(namespace), params=params, accept=accept)
            if "items" not in page or "resourceVersion" not in page.get("metadata", {}):
                raise Unreachable(f"the list of {resource.plural} is no list")
            yield page["items"] or [], page["metadata"]["resourceVersion"]  # null, where metadata alone are asked for and there are none
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def watch(
        self, resource: Resource, *, version: str, selector: str = "", namespace: str | None = None, name: str = ""
    ) -> AsyncIterator[tuple[str, Json]]:
        """Events after ``version``, of all objects or of one: (type, object). Ends when the server closes the stream. Raises `Expired`: list anew."""
        params = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version, "timeoutSeconds": "290"}
        if selector:
            params["labelSelector"] = selector
        if name:
            params["fieldSelector"] = f"metadata.name={name}"
        path = resource.path(namespace)
        code = NO_ANSWER
        try:
            async with (await self._signed_in()).stream(_target(path, params), REQUEST_TIMEOUT) as (code, connection):
                if code >= 400:
                    _refuse("GET", path, Answer(code, b"".join([part async for part in _parts(connection)])))
                async for line in _lines(connection):
                    event = orjson.loads(line)
                    item = event.get("object") if isinstance(event, dict) else None
                    if not isinstance(item, dict) or "type" not in event:
                        raise Unreachable(f"the watch on {resource.plural} sent something that is no event")
                    if event["type"] == "ERROR":
                        raise from_status(item.get("code", 500), item)
                    yield event["type"], item
        except (OSError, orjson.JSONDecodeError) as broken:
            raise Unreachable(f"the watch on {resource.plural} broke: {broken!r}") from broken
        finally:
            answered("GET", path, params, code, 0.0)

    async def log_tail(self, namespace: str, pod: str, container: str, lines: int) -> str:
        """The last lines of a container's log."""
        params = {"container": container, "tailLines": str(lines)}
        return (await self._ask("GET", PODS.path(namespace, pod, "log"), params=params)).body.decode(errors="replace")

    async def _json(
        self, method: str, path: str, body: Body = None, *, params: Mapping[str, str] | None = None, content_type: str = JSON, accept: str = JSON
    ) -> Json:
        answer = await self._ask(method, path, body, params=params, content_type=content_type, accept=accept)
        try:
            parsed = orjson.loads(answer.body)
        except orjson.JSONDecodeError as broken:
            raise Unreachable(f"{method} {path}: {broken!r}") from broken
        if not isinstance(parsed, dict):
            raise Unreachable(f"{method} {path}: the answer is no object")
        return parsed

    async def _ask(
        self, method: str, path: str, body: Body = None, *, params: Mapping[str, str] | None = None, content_type: str = JSON, accept: str = JSON
    ) -> Answer:
        pool = await self._signed_in()
        data = None if body is None else orjson.dumps(body)
        begun, code = time.perf_counter(), NO_ANSWER
        try:
            answer = await pool.ask(method, _target(path, params), data, content_type, REQUEST_TIMEOUT, accept)
            code = answer.status
        except OSError as broken:
            raise Unreachable(f"{method} {path}: {broken!r}") from broken
        finally:
            answered(method, path, params, code, time.perf_counter() - begun)
        if answer.status >= 400:
            _refuse(method, path, answer)
        return answer

    async def _signed_in(self) -> Pool:
        await self._connected.wait()
        assert self._pool is not None
        return self._pool


def _target(path: str, params: Mapping[str, str] | None) -> str:
    return f"{quote(path)}?{urlencode(params)}" if params else quote(path)


def _refuse(method: str, path: str, answer: Answer) -> NoReturn:
    """Raise what an answer of 400 and above means."""
    try:
        parsed = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        parsed = None
    status = parsed if isinstance(parsed, dict) else {"message": answer.body[:200].decode(errors="replace")}
    if answer.status in OVERLOADED:
        raise Unreachable(f"{method} {path}: {answer.status} {status.get('message', '')}")
    raise from_status(answer.status, status)


async def _parts(connection: Connection) -> AsyncIterator[bytes]:
    while part := await connection.read(SILENT_AT_MOST):
        yield part


async def _lines(connection: Connection) -> AsyncIterator[bytes]:
    """Lines of any length."""
    rest = b""
    async for part in _parts(connection):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line:
                yield line
