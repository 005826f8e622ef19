"""Stands between the operator and the API server and kills the operator at every write: before it is sent, and again before it is answered.

The first time a write is attempted the operator dies and the write never happens; the second time it happens and the operator dies without
learning of it; from the third time on it passes. So one run of a session goes through every place at which a crash can come.
"""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from kubernetes import client, config

from cluster.kube import credential

WRITES = ("POST", "PATCH", "PUT", "DELETE")
PASSED_ON = ("Content-Type", "Accept", "User-Agent")


class KillingProxy:
    """Serves plain HTTP on 127.0.0.1; `kubeconfig` points at it."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        found = client.Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=found)  # type: ignore[no-untyped-call]
        self._target = found
        self._folder = folder
        self._seen: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.operator: subprocess.Popen[bytes] | None = None
        self.kills = 0
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    @property
    def kubeconfig(self) -> Path:
        document = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "u", "user": {"token": "of no use here"}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        }  # fmt: skip
        file = self._folder / "kubeconfig"
        file.write_text(json.dumps(document))
        return file

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> int:
        tls = ssl.create_default_context(cafile=self._target.ssl_ca_cert)
        if self._target.cert_file:
            tls.load_cert_chain(self._target.cert_file, self._target.key_file)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls, limit=0), auto_decompress=False)
        app = web.Application(client_max_size=4 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _stop(self) -> None:
        await self._session.close()
        await self._runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}  # of connections whose operator was killed
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _kill(self) -> None:
        assert self.operator is not None
        self.kills += 1
        self.operator.send_signal(signal.SIGKILL)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        times = 0
        if request.method in WRITES:
            name = f"{request.method} {request.path} {_essence(body)}"
            self._seen[name] += 1
            times = self._seen[name]
        if times == 1:
            self._kill()
            raise web.HTTPServiceUnavailable
        headers = {key: request.headers[key] for key in PASSED_ON if key in request.headers} | credential(self._target)
        async with self._session.request(request.method, self._target.host + request.path_qs, data=body or None, headers=headers) as answer:
            if times == 2:
                await answer.read()
                self._kill()
                raise web.HTTPServiceUnavailable
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.headers.get("Content-Type", "")})
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response


def _essence(body: bytes) -> str:
    """What makes two writes the same one: not the version they are based on, nor the time."""
    document: Any = json.loads(body or b"{}")
    if isinstance(document, list):  # a JSON patch of the status
        document = {"status": document[-1]["value"]}
    status = document.get("status") or {}
    return json.dumps([document.get("kind"), document.get("reason"), status.get("phase"), status.get("attempt"), sorted(status)])
