"""Where sessions meet their provider's circuits and windows: asks before an attempt, tells after it."""

from __future__ import annotations

from dataclasses import replace

from stint.engine.plan import Plan, Waiting
from stint.providers.circuit import GOOD
from stint.providers.passage import Heard
from stint.providers.traffic import Traffic
from stint.sessions.holds import hold
from stint.sessions.observed import Observed
from stint.sessions.passage import ended_at, heard_of_provider, passage_of, report_of, windows_of_pod
from stint.sessions.plan import starts
from stint.sessions.pod_facts import PodFacts


class Gatehouse:
    """Sessions on their way to and from their provider."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def look(self, seen: Observed) -> Observed:
        """The same, and what the provider says to it. Saying the same thing twice does no harm: attempts count once."""
        pod = seen.pod
        if pod is None:
            return self._before(seen)
        if pod.terminal:
            return self._after(seen, pod)
        passage = passage_of(seen, pod.attempt) if pod.running else None
        if passage is not None:
            self._traffic.runs(passage)
            if pod.answered:  # perhaps before this controller began
                self._traffic.answered(passage.uid, passage.attempt)
        return seen

    def _before(self, seen: Observed) -> Observed:
        passage = passage_of(seen, seen.settled + 1)
        blocked = self._traffic.blocked(passage, seen.now) if passage else None
        return seen if blocked is None else replace(seen, blocked=blocked)

    def _after(self, seen: Observed, pod: PodFacts) -> Observed:
        passage, report = passage_of(seen, pod.attempt), report_of(pod)
        if passage is None:
            return seen
        self._traffic.tell(passage, windows_of_pod(pod, report, seen.now), seen.now)
        kind, probe = heard_of_provider(report, seen.now), self._traffic.probes(passage)
        if kind:
            self._traffic.learn(passage, kind, ended_at(pod, seen.now), seen.now)
        self._traffic.ended(passage, seen.now)
        blocked = self._traffic.blocked(replace(passage, attempt=pod.attempt + 1), seen.now)
        if blocked is None and kind in ("", GOOD):
            return seen
        return replace(seen, blocked=blocked, heard=Heard("" if kind == GOOD else kind, probe))

    def passed(self, seen: Observed, decided: Plan) -> Plan:
        """What is left of a plan: no attempt begins that may not ask its provider."""
        if seen.pod is not None:
            return decided
        passage = passage_of(seen, seen.settled + 1)
        if starts(decided) and passage is not None:
            return decided if self._traffic.enter(passage, seen.now) else Plan()
        if passage is not None and self._waits_here(seen):
            self._traffic.wait(passage, seen.now)
        else:
            self._traffic.withdraw(seen.uid)
        return decided

    def _waits_here(self, seen: Observed) -> bool:
        """Whether the provider is what holds it."""
        if seen.blocked is None or seen.deleting or seen.suspended or seen.cancelled or (seen.finished and not seen.rerun_requested):
            return False
        holding = hold(seen)
        return isinstance(holding, Waiting) and holding.reason == seen.blocked.reason

    def gone(self, uid: str) -> None:
        """The session is no longer there."""
        self._traffic.withdraw(uid)
