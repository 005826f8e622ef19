"""What must be true after every step, whatever happened: the simulation's judge.

It reads the API server's state and what the gateways really served; it knows nothing of the controller's memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from simulation.api import SESSIONS
from simulation.cluster import Life
from simulation.pod_status import Json
from simulation.world import World
from stint.kube.resources import PODS
from stint.sessions.names import ATTEMPT_LABEL

DEFAULT_LIMIT = "5.00"
CONDITIONS = {"Admitted", "Running", "Suspended", "Succeeded", "Ready", "Reconciling", "Stalled", "ToolsReady"}


@dataclass
class Past:
    """What was seen of one session so far."""

    attempts: list[tuple[int, str]] = field(default_factory=list)
    """Numbers and pods of its attempts, as they came into the history."""
    outcomes: dict[int, str] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    """Pods whose usage stands in the total."""
    limit: Decimal = Decimal(0)
    """The highest cost limit that it ever had."""


@dataclass
class Truth:
    """Checks one world."""

    world: World
    pasts: dict[str, Past] = field(default_factory=dict)
    writes_seen: int = 0

    def check(self) -> None:
        self._one_writer_per_session()
        self._no_needless_status_write()
        assert not self.world.api.refused, f"the API server refused a status: {self.world.api.refused[0]}"
        for session in self.world.api.of(SESSIONS):
            status = session.get("status") or {}
            past = self.pasts.setdefault(session["metadata"]["uid"], Past())
            past.limit = max(past.limit, Decimal(session["spec"].get("limits", {}).get("cost", DEFAULT_LIMIT)))
            self._history_grows(past, session, status)
            self._usage_is_what_was_served(past, status)
            self._conditions_agree(status)
            self._nothing_starts_too_early(session, status)

    def _nothing_starts_too_early(self, session: Json, status: Json) -> None:
        when = status.get("nextRetryTime")
        settled = max((entry["attempt"] for entry in status.get("history") or ()), default=0)
        for pod in self.world.api.of(PODS):
            meta = pod["metadata"]
            if when is not None and meta["ownerReferences"][0]["uid"] == session["metadata"]["uid"] and int(meta["labels"][ATTEMPT_LABEL]) > settled:
                assert meta["creationTimestamp"] >= when, f"{meta['name']} was created at {meta['creationTimestamp']}, not before {when} was allowed"

    def _one_writer_per_session(self) -> None:
        alive: dict[str, list[str]] = {}
        for pod in self.world.api.of(PODS):
            owners = pod["metadata"]["ownerReferences"]
            assert len(owners) == 1, f"{pod['metadata']['name']} has {len(owners)} owners"
            assert owners[0]["controller"], "the owner is not its controller"
            if pod["status"]["phase"] in ("Pending", "Running"):
                alive.setdefault(owners[0]["uid"], []).append(pod["metadata"]["name"])
            state = next(volume for volume in pod["spec"]["volumes"] if volume["name"] == "state")
            claim = state.get("persistentVolumeClaim", {}).get("claimName")
            assert claim is None or claim.endswith(owners[0]["uid"][:8]), f"{pod['metadata']['name']} uses the volume {claim} of another session"
        assert all(len(pods) == 1 for pods in alive.values()), f"two pods of one session: {alive}"
        writing: dict[str, list[str]] = {}
        for life in self.world.cluster.lives.values():
            if life.writing:
                writing.setdefault(life.owner, []).append(life.name)
        assert all(len(pods) == 1 for pods in writing.values()), f"two writers on one conversation: {writing}"

    def _no_needless_status_write(self) -> None:
        writes = self.world.api.writes
        idle = [write for write in writes[self.writes_seen :] if write.verb == "write_status" and not write.changed]
        self.writes_seen = len(writes)
        assert not idle, f"a status was written though nothing had changed: {idle}"

    def _history_grows(self, past: Past, session: Json, status: Json) -> None:
        entries = [(entry["attempt"], entry.get("podUID", "")) for entry in status.get("history") or ()]
        numbers = [number for number, _ in entries]
        assert numbers == sorted(set(numbers)), f"attempts out of order or twice: {numbers}"
        old = [entry for entry in past.attempts if entry in entries]
        assert entries[: len(old)] == old, f"the past has changed: {past.attempts} became {entries}"
        assert not past.attempts or past.attempts[-1] in entries, f"the last attempt is forgotten: {past.attempts} became {entries}"
        fresh = entries[len(old) :]
        assert not past.attempts or all(number > past.attempts[-1][0] for number, _ in fresh), f"an old number came again: {fresh}"
        past.attempts += fresh
        for entry in status.get("history") or ():
            assert past.outcomes.setdefault(entry["attempt"], entry["outcome"]) == entry["outcome"], "an outcome has changed"
            life = self._life(entry.get("podUID", ""))
            assert life is None or life.owner == session["metadata"]["uid"], f"{entry['podName']} belonged to another session"
        assert status.get("attempt", 0) >= max(numbers, default=0)

    def _usage_is_what_was_served(self, past: Past, status: Json) -> None:
        past.counted |= {uid for _, uid in past.attempts} | set(status.get("journaledPods") or ())
        served = sum((self._served(uid) for uid in past.counted), Decimal(0))
        usage = status.get("usage") or {}
        total = Decimal(usage.get("cost", "0"))
        if usage.get("estimated"):
            beyond = sum((life.overshoot for uid in past.counted if (life := self._life(uid))), Decimal(0))
            assert total + beyond >= served, f"estimated at {total}, but {served} was served"
        else:
            assert total == served, f"{total} stands in the status, {served} was served"
        for entry in status.get("history") or ():
            if not entry["estimated"]:
                assert Decimal(entry["cost"]) == self._served(entry.get("podUID", "")), f"attempt {entry['attempt']} is charged {entry['cost']}"

    def _life(self, uid: str) -> Life | None:
        return self.world.cluster.lives.get(uid)

    def _served(self, uid: str) -> Decimal:
        life = self._life(uid)
        return life.served if life else Decimal(0)

    def _conditions_agree(self, status: Json) -> None:
        found = {condition["type"]: condition for condition in status.get("conditions") or ()}
        if not found:
            return
        assert set(found) <= CONDITIONS
        state = {name: condition["status"] for name, condition in found.items()}
        for name in ("Suspended", "Reconciling", "Stalled"):
            assert state.get(name, "True") == "True", f"{name} is there though it is not true"
        finished = "completionTime" in status
        assert (state["Succeeded"] == "Unknown") != finished, f"finished: {finished}, Succeeded: {state['Succeeded']}"
        assert state["Ready"] == ("True" if state["Succeeded"] == "True" else "False")
        assert ("Reconciling" in state) == (not finished and "Stalled" not in state and "Suspended" not in state), f"on its way or not: {state}"
        assert not finished or (state["Running"] == "False" and "Suspended" not in state)
        assert not (finished and "nextRetryTime" in status), "finished, and a next attempt is planned"
        assert not (finished and "waitingFor" in status), "finished, and waiting for something"
        assert "Stalled" not in state or state["Ready"] == "False"

    def check_the_end(self, session: Json) -> None:
        """A session that has ended, ended in the right way, and within its limit."""
        self._limit_was_kept(session["metadata"]["uid"])
        status = session["status"]
        conditions = {condition["type"]: condition for condition in status["conditions"]}
        last = (status.get("history") or [{}])[-1]
        succeeded = conditions["Succeeded"]["status"] == "True"
        cancelled = conditions["Succeeded"]["reason"] == "Cancelled"  # perhaps before the next attempt
        assert succeeded == (last.get("outcome") == "Succeeded") or (cancelled and not succeeded), f"{status['phase']} after {last}"
        assert status["phase"] == ("Succeeded" if succeeded else "Failed")
        assert ("Stalled" in conditions) != succeeded
        assert succeeded or status["result"]["error"]["class"] == conditions["Succeeded"]["reason"]
        assert status["observedGeneration"] == session["metadata"]["generation"]
        assert all(condition["observedGeneration"] == session["metadata"]["generation"] for condition in status["conditions"])

    def _limit_was_kept(self, uid: str) -> None:
        """All attempts together used no more than the limit, but for one answer each, and for pods of which nobody ever heard."""
        past, lives = self.pasts[uid], [life for life in self.world.cluster.lives.values() if life.owner == uid]
        served = sum((life.served - life.overshoot for life in lives if life.uid in past.counted), Decimal(0))
        assert served <= past.limit, f"{served} was used of {past.limit}"
