"""Nodes, kubelets, agents and gateways: what happens to pods between the controller's writes.

The gateway keeps the truth about money (`served`), as the real one does in its journal; invariants compare the sessions' status with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from simulation import pod_status
from simulation.api import Api
from simulation.pod_status import Json
from stint.kube.resources import CLAIMS, PODS

MODEL = "claude-x"
INTERRUPTED = pod_status.result("Interrupted", error=None)


@dataclass
class Life:
    """What really happened inside one pod, whatever anybody saw of it."""

    uid: str
    owner: str
    attempt: int
    name: str
    namespace: str
    claim: str | None
    """Name of its volume, None for an ephemeral workspace."""
    limit: Decimal
    unsettled: tuple[str, ...]
    served: Decimal = Decimal(0)
    requests: int = 0
    limit_reached: bool = False
    overshoot: Decimal = Decimal(0)
    """What the last answer that was let through used beyond the limit: nobody knows that before it has come."""
    started: datetime | None = None
    writing: bool = False
    """Its containers run."""
    report_left: bool = False
    """It ended in such a way that its own report could be read."""
    restarts: int = 0
    """How often the gateway was started anew."""
    broken: bool = False
    """The gateway was restarted and could not start again: its last words are an error."""
    refused_with: int | None = None
    """HTTP status of the model API's last refusal."""
    last_answer: str | None = None
    """What the model API's last answer says about it."""
    windows: Json = field(default_factory=dict)
    """Rate-limit windows that its answers told of."""

    def counts(self) -> Json:
        return pod_status.counts(str(self.served), requests=self.requests, input_tokens=100 * self.requests, output_tokens=10 * self.requests)


@dataclass
class Cluster:
    """All nodes together."""

    api: Api
    lives: dict[str, Life] = field(default_factory=dict)
    journals: dict[str, dict[str, Life]] = field(default_factory=dict)
    """By volume: the pods that wrote into its journal, the oldest first."""
    lost_nodes: set[str] = field(default_factory=set)

    # Looking

    def pods(self) -> Iterator[Json]:
        yield from list(self.api.of(PODS))

    def live(self, phase: str) -> list[Json]:
        """Pods in this phase whose node answers."""
        return [pod for pod in self.pods() if pod["status"]["phase"] == phase and pod["spec"].get("nodeName") not in self.lost_nodes]

    def life(self, pod: Json) -> Life:
        """What happens in this pod; known from the moment it is asked for."""
        uid = pod["metadata"]["uid"]
        if uid not in self.lives:
            gateway = json.loads(pod["metadata"]["annotations"]["stint.dev/gateway"])
            state = next(volume for volume in pod["spec"]["volumes"] if volume["name"] == "state")
            self.lives[uid] = Life(
                uid=uid, owner=pod["metadata"]["ownerReferences"][0]["uid"], attempt=gateway["attempt"], name=pod["metadata"]["name"],
                namespace=pod["metadata"]["namespace"], claim=state.get("persistentVolumeClaim", {}).get("claimName"),
                limit=Decimal(gateway["limits"]["cost"]), unsettled=tuple(gateway.get("unsettled", ())),
            )  # fmt: skip
        return self.lives[uid]

    # What kubelet does when all is well

    def schedule(self, pod: Json, node: str) -> None:
        meta = pod["metadata"]
        self.api.bind(meta["namespace"], meta["name"], node)

    def volumes_are_there(self, pod: Json) -> bool:
        claims = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["spec"]["volumes"] if "persistentVolumeClaim" in volume]
        return all((CLAIMS.plural, pod["metadata"]["namespace"], claim) in self.api.objects for claim in claims)

    def start(self, pod: Json, now: datetime) -> None:
        life = self.life(pod)
        life.started, life.writing = now, True
        if life.claim is not None:
            self.journals.setdefault(life.claim, {})[life.uid] = life
        self._write(pod, pod_status.at_work(now))

    def serve(self, pod: Json, cost: Decimal) -> bool:
        """The gateway lets one request through, unless its limit is used up; whether it did."""
        life = self.life(pod)
        if life.broken:
            return True
        if self._left(life) <= 0:
            life.limit_reached = True
            return False
        life.served += cost
        life.requests += 1
        life.last_answer = "Good"
        life.overshoot = max(Decimal(0), -self._left(life))
        return True

    def become_ready(self, pod: Json) -> None:
        """The kubelet's probe finds that the model has answered."""
        status = json.loads(json.dumps(pod["status"]))
        for one in status["initContainerStatuses"]:
            one["ready"] = True
        self._write(pod, status)

    def refuse(self, pod: Json, kind: str, now: datetime, status: int = 529) -> None:
        """The model API does not answer, and the CLI gives up."""
        life = self.life(pod)
        life.last_answer, life.refused_with = kind, status
        self.end(pod, pod_status.failure(kind), now)

    def _left(self, life: Life) -> Decimal:
        """The limit, less what the journal says of the attempts that are named in ``unsettled``."""
        journal = self.journals.get(life.claim or "", {})
        return life.limit - life.served - sum((journal[uid].served for uid in life.unsettled if uid in journal), Decimal(0))

    def report(self, life: Life) -> str:
        """The gateway's last words."""
        if life.broken:
            return json.dumps({"version": 1, "error": {"class": "InputInvalid", "message": "the credential is empty"}})
        others = [other for uid, other in self.journals.get(life.claim or "", {}).items() if uid != life.uid]
        previous = [{"pod": other.uid, "attempt": other.attempt, "usage": {**other.counts(), "estimated": False}} for other in others[:-11:-1]]
        usage = {**life.counts(), "estimated": False, "byModel": {MODEL: life.counts()} if life.requests else {}}
        reached = "cost" if life.limit_reached else None
        document = {"version": 1, "attempt": life.attempt, "pod": life.uid, "usage": usage, "limitReached": reached, "previous": previous}
        good = {"firstGoodAnswer": "2026-11-21T10:00:00Z" if life.requests else None}
        heard = {"lastAnswer": life.last_answer, "windows": life.windows, "lastError": {"status": life.refused_with} if life.refused_with else None}
        return json.dumps(document | good | heard)

    def end(self, pod: Json, result: str, now: datetime, **more: Any) -> None:
        """Both containers end, and kubelet sees it: the last words are in the status."""
        life = self.life(pod)
        life.writing, life.report_left = False, life.started is not None and not life.broken
        code = 0 if '"Succeeded"' in result else 1
        if life.started is None:  # nothing of it ever ran
            gateway = {"gateway": pod_status.terminated(1, self.report(life))} if life.broken else {}
            self._write(pod, pod_status.status("Failed", init=gateway, agent=pod_status.waiting("PodInitializing"), **more))
            return
        status = pod_status.ended(result, self.report(life), exit_code=code, started=life.started, finished=now, **more)
        status["initContainerStatuses"][0]["restartCount"] = life.restarts
        self._write(pod, status)

    def finish_deletion(self, pod: Json, now: datetime, result: str = INTERRUPTED) -> None:
        """kubelet stops the containers of a pod that is being deleted, tells how they ended, and lets the object go."""
        meta = pod["metadata"]
        if pod["status"]["phase"] in ("Pending", "Running"):
            self.end(pod, result, now)
        self.api.remove(PODS, meta["namespace"], meta["name"])

    def step(self, now: datetime) -> list[Json]:
        """Every pod comes one step further: it is scheduled, starts, or goes. Those that run are returned: what they do is the caller's choice."""
        running = []
        for pod in self.pods():
            phase = pod["status"]["phase"]
            if "deletionTimestamp" in pod["metadata"]:
                self.finish_deletion(pod, now)
            elif phase == "Pending" and not pod["spec"].get("nodeName"):
                self.schedule(pod, "node-1")
            elif phase == "Pending" and self.volumes_are_there(pod):
                self.start(pod, now)
            elif phase == "Running":
                running.append(pod)
        return running

    # What goes wrong

    def reject(self, pod: Json) -> None:
        """kubelet does not take the pod: nothing of it ever starts."""
        self._write(pod, {"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough resource: cpu"})

    def break_gateway(self, pod: Json, now: datetime) -> None:
        """The gateway is restarted, and cannot start any more (its Secret was emptied); before its first start, or while the agent works."""
        life = self.life(pod)
        life.broken, life.restarts = True, life.restarts + 1
        last = {"terminated": {"exitCode": 1, "reason": "Error", "message": self.report(life)}}
        gateway = pod_status.container("gateway", pod_status.waiting("CrashLoopBackOff", "back-off"), last=last)
        agent = pod_status.running(life.started) if life.started else pod_status.waiting("PodInitializing")
        self._write(pod, pod_status.status("Running" if life.started else "Pending", init={"gateway": gateway}, agent=agent))

    def restart_gateway(self, pod: Json, now: datetime) -> None:
        """The gateway is killed and starts anew; its journal keeps the account."""
        life = self.life(pod)
        assert life.started is not None
        life.restarts += 1
        last = pod_status.terminated(pod_status.KILLED, self.report(life), started=life.started, finished=now, reason="OOMKilled")
        self._write(pod, pod_status.at_work(life.started, gateway_last=last))

    def kill_for_memory(self, pod: Json, now: datetime) -> None:
        self.end(pod, "", now, agent_reason="OOMKilled")

    def evict(self, pod: Json, now: datetime, reason: str) -> None:
        """Preemption, drain, pressure: the condition, the containers stop, the pod has failed."""
        condition = pod_status.condition("DisruptionTarget", "True", reason, "the node needs the room")
        self.end(pod, INTERRUPTED, now, conditions=[condition], **({"reason": "Evicted"} if reason == "TerminationByKubelet" else {}))

    def lose_containers(self, pod: Json) -> None:
        """The node restarts: the pod has failed, nobody saw its containers end."""
        self._silence(pod)
        self._write(pod, pod_status.lost_containers())

    def force_delete(self, pod: Json) -> None:
        """Somebody removes the object by force; no last words."""
        self._silence(pod)
        self.api.remove(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])

    def hang(self, pod: Json, reason: str, message: str) -> None:
        """It does not start."""
        self._write(pod, pod_status.starting(reason, message))

    def _silence(self, pod: Json) -> None:
        life = self.life(pod)
        life.writing = False

    def _write(self, pod: Json, status: Json) -> None:
        self.api.set_pod_status(pod["metadata"]["namespace"], pod["metadata"]["name"], status)
