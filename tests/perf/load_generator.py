"""The load, in a process of its own with its own clock: ``python -m perf.load_generator``, a scenario on stdin, JSON lines on stdout.

Lines: ``{"event": "begin"}`` just before the first object, ``{"event": "pods"}`` when all have a pod, ``{"event": "done"}`` when all have ended,
and ``{"record": …}`` as the last one. It runs inside the cluster's network, so that nothing stands between it and the API server.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from perf.api import METADATA_ONLY, Api, Refused
from perf.manifests import COLLECTIONS, NAMESPACE, NOT_DONE, manifest
from perf.scenario import Record, Scenario

PODS = COLLECTIONS["Pod"].format(namespace=NAMESPACE)
POLL = 0.5  # seconds
ERRORS = 20
"""How many are kept."""


class Load:
    """One scenario under way."""

    def __init__(self, api: Api, scenario: Scenario) -> None:
        self._api = api
        self._scenario = scenario
        self._names = [f"{scenario.prefix}-{number:05}" for number in range(scenario.count)]
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._bodies = [orjson.dumps(manifest(scenario.kind, name)) for name in self._names]
        self._path = COLLECTIONS[scenario.kind].format(namespace=NAMESPACE)
        self._left = scenario.count
        self._all_have_pods = asyncio.Event()
        self.record = Record([0.0] * scenario.count, [0.0] * scenario.count, [0.0] * scenario.count)

    async def run(self) -> None:
        """Everything, but no longer than the scenario allows."""
        watcher = asyncio.create_task(self._watch(await self._api.version(PODS)))
        try:
            async with asyncio.timeout(self._scenario.seconds):
                tell("begin")
                await (self._create_at_once() if self._scenario.rate is None else self._create_at(self._scenario.rate))
                await self._all_have_pods.wait()
                tell("pods")
                if self._scenario.until_done:
                    await self._wait_done()
                    self.record.done = time.monotonic()
                    tell("done")
        except TimeoutError:
            self._error(f"gave up after {self._scenario.seconds:.0f} s: {self._left} of {self._scenario.count} have no pod")
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _create_at_once(self) -> None:
        numbers = iter(range(self._scenario.count))

        async def caller() -> None:
            for number in numbers:
                await self._create(number)

        await asyncio.gather(*(caller() for _ in range(self._scenario.in_flight)))

    async def _create_at(self, rate: float) -> None:
        begin = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(self._scenario.count):
                await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
                group.create_task(self._create(number))

    async def _create(self, number: int) -> None:
        self.record.sent[number] = time.monotonic()
        try:
            await self._api.post(self._path, self._bodies[number])
        except (aiohttp.ClientError, Refused) as failure:
            self._error(repr(failure))
        else:
            self.record.answered[number] = time.monotonic()

    async def _watch(self, version: str) -> None:
        async for event in self._api.watch(PODS, version, METADATA_ONLY):
            if event["type"] != "ADDED":
                continue
            meta = event["object"]["metadata"]
            owner = next((one["name"] for one in meta.get("ownerReferences", ())), meta["name"])
            number = self._numbers.get(owner)
            if number is None or self.record.pods[number]:
                continue
            self.record.pods[number] = time.monotonic()
            self._left -= 1
            if not self._left:
                self._all_have_pods.set()

    async def _wait_done(self) -> None:
        """Asks for one that has not ended well, until there is none: a watch of all of them would cost the API server more."""
        while await self._api.some(self._path, NOT_DONE[self._scenario.kind]):  # noqa: ASYNC110
            await asyncio.sleep(POLL)

    def _error(self, text: str) -> None:
        if len(self.record.errors) < ERRORS:
            self.record.errors.append(text)


def tell(event: str) -> None:
    """Say how far it is; the parent reads the clocks of all processes then."""
    say({"event": event, "at": time.monotonic()})


def say(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


async def main() -> None:
    scenario = Scenario(**orjson.loads(sys.stdin.buffer.read()))
    api = Api(Path(os.environ["KUBECONFIG"]), scenario.in_flight + 4)
    async with api.session:
        load = Load(api, scenario)
        await load.run()
    say({"record": asdict(load.record)})


if __name__ == "__main__":
    asyncio.run(main())
