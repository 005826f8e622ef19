"""The report of an attempt that runs: where it is, and what it says about the provider."""

from __future__ import annotations

from datetime import datetime

from stint.providers.passage import Passage
from stint.providers.traffic import Traffic
from stint.sessions.passage import heard_of_provider, windows_of
from stint.sessions.pod.network import REPORT_PORT
from stint.sessions.pod_store import PodStore
from stint.sessions.reports import read_report


class LiveReports:
    """Reports as `stint.providers.watch` reads them."""

    def __init__(self, pods: PodStore, traffic: Traffic) -> None:
        self._pods = pods
        self._traffic = traffic

    def address(self, passage: Passage) -> str:
        """Empty while the pod is not there, or has no address."""
        pod = next((each for each in self._pods.of(passage.uid) if each.attempt == passage.attempt and not each.terminal), None)
        if pod is None or not pod.address:
            return ""
        host = f"[{pod.address}]" if ":" in pod.address else pod.address
        return f"http://{host}:{REPORT_PORT}/report"

    def heard(self, passage: Passage, text: str, now: datetime) -> None:
        """What the gateway says while the attempt runs."""
        report = read_report(text)
        self._traffic.tell(passage, windows_of(report), now)
        kind = heard_of_provider(report, now)
        if kind and self._traffic.probes(passage):
            self._traffic.learn(passage, kind, now, now)
