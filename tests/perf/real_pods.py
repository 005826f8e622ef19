"""Real pods: what a session takes from its creation to its end, beside pods made by hand in the same run.

Three of each, in turn: a session; a pod of exactly the same shape, which leaves out only the operator; and a pod that runs nothing but the CLI,
which leaves out the runner and the gateway as well.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from perf.api import Api
from perf.benchmark import Benchmark, Outcome, Setting, say
from perf.figures import Figure, percentile
from perf.manifests import Json
from perf.real_bed import RealBed
from perf.real_manifests import bare, prompt, same_shape, talk

Variant = Literal["session", "shape", "bare"]
VARIANTS: tuple[Variant, ...] = ("session", "shape", "bare")
ROUNDS, CROWD = 15, 50
PATIENCE = 300.0
SILENCE = 12.0


@dataclass(slots=True)
class Course:
    """When what happened to one pod, in seconds since the epoch; 0 for not yet."""

    created: float = 0.0
    running: float = 0.0
    """Seen by a watch."""
    first_request: float = 0.0
    """By the mock API's own clock."""
    last_line: float = 0.0
    """The container's last output, stamped by the container runtime."""
    succeeded: float = 0.0
    """Pod or session `Succeeded`, seen by a watch."""
    own_start: float = 0.0
    """Seconds from the runner's start to the first request, as the runner says; sessions only."""


class Field:
    """Creates objects, and follows them by watches."""

    def __init__(self, api: Api, real: RealBed) -> None:
        self._api = api
        self._real = real
        self._pods = f"/api/v1/namespaces/{real.namespace}/pods"
        self._sessions = f"/apis/stint.dev/v1alpha1/namespaces/{real.namespace}/agentsessions"
        self._courses: dict[str, Course] = {}
        self._conversations: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._template: Json = {}

    async def follow(self, path: str, of_sessions: bool, version: str) -> None:
        """Note when pods run and when pods and sessions have succeeded."""
        async for event in self._api.watch(path, version):
            item = event["object"]
            name, phase, now = item["metadata"]["name"], item.get("status", {}).get("phase"), time.time()
            owner = name if of_sessions else next((one["name"] for one in item["metadata"].get("ownerReferences", ())), name)
            course = self._courses.get(owner)
            if course is None or event["type"] == "DELETED":
                continue
            if not of_sessions and phase in ("Running", "Succeeded") and not course.running:
                course.running = now
            if phase == "Succeeded" and not course.succeeded and of_sessions == self._is_session(owner):
                course.succeeded = now
            if phase == "Failed":
                raise RuntimeError(f"{name} failed: {json.dumps(item['status'])[:2000]}")
            self._changed.set()

    async def run(self) -> tuple[dict[Variant, list[Course]], dict[str, float]]:
        """Everything: one at a time, then a crowd of sessions, then a crowd of bare pods."""
        followers = [
            asyncio.create_task(self.follow(path, of_sessions, await self._api.version(path)))
            for path, of_sessions in ((self._pods, False), (self._sessions, True))
        ]
        work = asyncio.create_task(self._measure())
        await asyncio.wait([work, *followers], return_when=asyncio.FIRST_COMPLETED)
        for task in (*followers, work):
            if not task.done():
                task.cancel()
        for follower in followers:
            if follower.done() and not follower.cancelled():
                follower.result()
        return await work

    async def _measure(self) -> tuple[dict[Variant, list[Course]], dict[str, float]]:
        await self._one("session", "warm")
        self._template = await self._api.get(f"{self._pods}/warm-1")
        for variant in VARIANTS[1:]:
            await self._one(variant, f"warm-{variant}")
        await asyncio.sleep(SILENCE)
        alone: dict[Variant, list[Course]] = {variant: [] for variant in VARIANTS}
        for number in range(self.rounds):
            for variant in VARIANTS:
                alone[variant].append(await self._one(variant, f"{variant}-{number}"))
        crowds: dict[str, float] = {}
        for variant in ("session", "bare"):
            say(f"{self.crowd} at once: {variant}")
            courses = await asyncio.gather(*(self._one(variant, f"crowd-{variant}-{number}") for number in range(self.crowd)))
            begin = min(course.created for course in courses)
            crowds[f"crowd_{variant}_running_seconds"] = max(course.running for course in courses) - begin
            crowds[f"crowd_{variant}_done_seconds"] = max(course.last_line for course in courses) - begin
        return alone, crowds

    rounds = ROUNDS
    crowd = CROWD

    async def _one(self, variant: Variant, name: str) -> Course:
        """Create one and follow it to its end."""
        course = self._courses[name] = Course()
        if variant == "session":
            answer = await self._api.post(self._sessions, orjson.dumps(_session(self._real.namespace, name)))
            assert answer["metadata"]["uid"]
        else:
            pod, self._conversations[name] = (
                same_shape(self._template, name)
                if variant == "shape"
                else bare(talk(self._template), self._real.namespace, name, self._real.url, self._real.key)
            )
            await self._api.post(self._pods, orjson.dumps(pod))
        course.created = time.time()
        async with asyncio.timeout(PATIENCE):
            while not (course.succeeded and course.running):
                self._changed.clear()
                await self._changed.wait()
        await self._read_traces(name, course, f"{name}-1" if variant == "session" else name)
        return course

    async def _read_traces(self, name: str, course: Course, pod_name: str) -> None:
        """What the container runtime, the runner and the mock API have noted."""
        pod = await self._api.get(f"{self._pods}/{pod_name}")
        last = (await self._api.text(f"{self._pods}/{pod_name}/log", container="agent", timestamps="true", tailLines="1")).split(" ", 1)[0]
        course.last_line = datetime.fromisoformat(last.strip()).timestamp()
        conversation = self._conversations.get(name) or talk(pod).conversation
        requests: list[dict[str, Any]] = await asyncio.to_thread(self._real.bed.mock.requests, conversation, 1)
        course.first_request = min(datetime.fromisoformat(request["time"]).timestamp() for request in requests)
        message = pod["status"]["containerStatuses"][0]["state"]["terminated"].get("message", "")
        if message.startswith("{"):
            course.own_start = json.loads(message).get("firstRequestSeconds") or 0.0

    def _is_session(self, name: str) -> bool:
        return name not in self._conversations


def _session(namespace: str, name: str) -> Json:
    spec = {"prompt": prompt(), "workspace": {"ephemeral": True}}
    return {"apiVersion": "stint.dev/v1alpha1", "kind": "AgentSession", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


async def _measure(real: RealBed, setting: Setting) -> Outcome:
    api = Api(real.cluster.kubeconfig, CROWD + 10)
    async with api.session:
        field = Field(api, real)
        field.rounds, field.crowd = max(3, round(ROUNDS * setting.scale)), setting.size(CROWD)
        alone, crowds = await field.run()
    values = dict(crowds)
    for variant, courses in alone.items():
        values[f"{variant}_running_ms"] = _p(50, [course.running - course.created for course in courses])
        values[f"{variant}_request_ms"] = _p(50, [course.first_request - course.created for course in courses])
        values[f"{variant}_done_ms"] = _p(50, [course.last_line - course.created for course in courses])
        values[f"{variant}_done_p99_ms"] = _p(99, [course.last_line - course.created for course in courses])
        values[f"{variant}_succeeded_ms"] = _p(50, [course.succeeded - course.created for course in courses])
    values["own_start_ms"] = _p(50, [course.own_start for course in alone["session"]])
    values["running_added_ms"] = values["session_running_ms"] - values["shape_running_ms"]
    values["operator_added_ms"] = values["session_done_ms"] - values["shape_done_ms"]
    values["all_added_ms"] = values["session_done_ms"] - values["bare_done_ms"]
    values["crowd_ratio"] = values["crowd_session_done_seconds"] / values["crowd_bare_done_seconds"]
    return Outcome(values)


def _p(percent: float, seconds: list[float]) -> float:
    return 1000 * percentile(seconds, percent)


def measure(setting: Setting) -> Outcome:
    """One cluster for all of it."""
    with RealBed(setting.cluster) as real:
        return asyncio.run(_measure(real, setting))


REAL_PODS = Benchmark(
    "real-pods",
    "Real pods with the real CLI",
    "On a cluster with a real node, the CLI talks to the mock API, which answers at once. One after the other and in turn: a session; a pod of "
    "exactly the same shape created by hand (this leaves out the operator); and a bare pod by hand that runs the same CLI with the same prompt "
    "against the same mock API (this leaves out runner and gateway as well). Then 50 sessions at once, and 50 bare pods at once. `done` is the last "
    "line that the container wrote, stamped by the container runtime; first requests are stamped by the mock API.",
    (
        Figure("session_running_ms", "session created → its pod `Running`, p50", "ms", "lower"),
        Figure("shape_running_ms", "pod of the same shape created → `Running`, p50", "ms"),
        Figure("running_added_ms", "difference", "ms", "lower", goal=50),
        Figure("own_start_ms", "runner starts → first request of the CLI at the API, p50", "ms", "lower", goal=1000),
        Figure("session_request_ms", "session created → first request at the API, p50", "ms", "lower"),
        Figure("shape_request_ms", "the same for the pod of the same shape", "ms"),
        Figure("bare_request_ms", "the same for the bare pod", "ms"),
        Figure("session_done_ms", "session created → done, p50", "ms", "lower"),
        Figure("session_done_p99_ms", "session created → done, slowest", "ms", "lower"),
        Figure("shape_done_ms", "pod of the same shape created → done, p50", "ms"),
        Figure("bare_done_ms", "bare pod created → done, p50", "ms"),
        Figure("operator_added_ms", "added by the operator", "ms", "lower", goal=50),
        Figure("all_added_ms", "added by operator, runner and gateway together", "ms", "lower"),
        Figure("session_succeeded_ms", "session created → session `Succeeded`, p50", "ms", "lower"),
        Figure("bare_succeeded_ms", "bare pod created → pod `Succeeded`, p50", "ms"),
        Figure("crowd_session_running_seconds", "50 sessions at once: last pod `Running`", "s", "lower"),
        Figure("crowd_bare_running_seconds", "50 bare pods at once: last pod `Running`", "s"),
        Figure("crowd_session_done_seconds", "50 sessions at once: last one done", "s", "lower"),
        Figure("crowd_bare_done_seconds", "50 bare pods at once: last one done", "s"),
        Figure("crowd_ratio", "50 sessions beside 50 bare pods", "×", "lower", gated=True),
    ),
    measure,
)
