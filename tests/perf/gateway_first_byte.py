"""What the gateway adds to the time to the first byte, and what it weighs.

    .venv/bin/python tests/perf/gateway_first_byte.py [--requests 600] [--body 50000]

A provider, the gateway and a client run as three processes on loopback. Requests go out in pairs, one straight to the
provider and one through the gateway, in alternating order, each as large as one of the CLI's. Prints JSON: times in
milliseconds, memory in megabytes. `added` is the difference within each pair; `floor` is the same difference between two
requests that both go straight, so how much of it is the machine's noise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from aiohttp import web

ROOT = Path(__file__).parents[2]
KEY = "sk-perf-0123456789abcdef"
PRICE = dict.fromkeys(("input", "output", "cacheRead", "cacheWrite5m", "cacheWrite1h"), "5")
PYTHON = {"PYTHONPATH": str(ROOT / "operator"), "PATH": os.environ.get("PATH", "")}


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


FIRST = event("message_start", message={"model": "claude-x", "usage": {"input_tokens": 100, "output_tokens": 1}})
REST = [event("content_block_delta", delta={"type": "text_delta", "text": "word " * 4})] * 20 + [
    event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 80}),
    event("message_stop"),
]


async def provide() -> None:
    """The provider's process: prints its port and answers every request with the same stream."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in (FIRST, *REST):
            await response.write(part)
        return response

    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def first_byte(session: aiohttp.ClientSession, port: int, body: bytes) -> float:
    """Milliseconds from the request to the first byte of the answer's body."""
    began = time.perf_counter()
    async with session.post(f"http://127.0.0.1:{port}/v1/messages?beta=true", data=body) as response:
        await response.content.readany()
        took = time.perf_counter() - began
        await response.read()
    return took * 1000


def memory(pid: int) -> dict[str, float]:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: round(int(lines[name].split()[0]) / 1024, 1) for name in ("VmRSS", "VmHWM")}


def summary(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 3), "p90": round(cuts[89], 3), "p99": round(cuts[98], 3)}


async def start_gateway(folder: Path, provider_port: int) -> tuple[asyncio.subprocess.Process, int]:
    (folder / "meter").mkdir()
    (folder / "credential").write_text(KEY)
    document = {
        "version": 1,
        "session": {"namespace": "perf", "name": "first-byte", "uid": "u"},
        "attempt": 1,
        "provider": {"name": "default", "baseURL": f"http://127.0.0.1:{provider_port}", "auth": "APIKey"},
        "prices": {"claude-x": PRICE},
        "unknownModels": "CountAsDearest",
        "limits": {"cost": "1000", "tokens": None},
        "outputSchema": None,
    }
    (folder / "gateway.json").write_text(json.dumps(document))
    places = {
        "STINT_GATEWAY_CONFIG": folder / "gateway.json",
        "STINT_CREDENTIAL_FILE": folder / "credential",
        "STINT_METER_DIR": folder / "meter",
        "STINT_TERMINATION_LOG": folder / "termination-log",
        "STINT_GATEWAY_PORT": 0,
        "STINT_REPORT_PORT": 0,
        "STINT_REPORT_HOST": "127.0.0.1",
        "POD_UID": "pod",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import sys; from stint.gateway.app import main; sys.exit(main())"),
        env={**PYTHON, **{name: str(value) for name, value in places.items()}},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    return process, int(json.loads(await process.stderr.readline())["agent_port"])


async def discard(stream: asyncio.StreamReader | None) -> None:
    while stream is not None and await stream.readline():
        pass


async def measure(requests: int, size: int) -> dict[str, object]:
    provider = await asyncio.create_subprocess_exec(sys.executable, __file__, "--provide", stdout=asyncio.subprocess.PIPE, env=PYTHON)
    assert provider.stdout is not None
    direct = int(await provider.stdout.readline())
    with tempfile.TemporaryDirectory() as folder:
        gateway, through = await start_gateway(Path(folder), direct)
        logs = asyncio.create_task(discard(gateway.stderr))
        body = json.dumps({"model": "claude-x", "stream": True, "max_tokens": 1, "messages": "x" * size}).encode()
        idle = memory(gateway.pid)
        pairs, floor = [], []
        async with aiohttp.ClientSession() as session:
            for number in range(requests + 20):
                first = await first_byte(session, (direct, through)[number % 2], body)
                second = await first_byte(session, (through, direct)[number % 2], body)
                again = await first_byte(session, direct, body)
                straight, detour = (first, second) if number % 2 == 0 else (second, first)
                if number >= 20:  # the first ones warm everything up
                    pairs.append((straight, detour))
                    floor.append(abs(again - straight))
        result = {
            "requests": requests,
            "body_bytes": len(body),
            "direct_ms": summary([straight for straight, _ in pairs]),
            "through_ms": summary([detour for _, detour in pairs]),
            "added_ms": summary([detour - straight for straight, detour in pairs]),
            "floor_ms": summary(floor),
            "memory_idle_mb": idle,
            "memory_after_mb": memory(gateway.pid),
            "load": os.getloadavg()[0],
        }
        gateway.terminate()
        provider.terminate()
        result["exit_code"] = await gateway.wait()
        await provider.wait()
        await logs
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--body", type=int, default=50_000)
    parser.add_argument("--provide", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.provide:
        asyncio.run(provide())
    else:
        print(json.dumps(asyncio.run(measure(options.requests, options.body)), indent=1))


if __name__ == "__main__":
    main()
