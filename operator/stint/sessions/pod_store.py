"""The agent pods we know of, by the uid of their session.

A pod that disappears stays here, marked as gone, until its attempt is settled: however late we look, its last words are not lost. Once it is
settled they are dropped, because ten thousand of them would take 40 MB.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from stint.engine.keys import Key
from stint.sessions.names import KIND
from stint.sessions.pod_facts import PodFacts, read_pod, vanished


class PodStore:
    """Fed by the pod informer and by the answers to our own creations.

    Tells ``changed`` which session to look at, and ``answered`` the uid and the attempt of a session whose model has answered for the first time.
    """

    def __init__(
        self, changed: Callable[[Key], None], session_lives: Callable[[str, str, str], bool], answered: Callable[[str, int], None]
    ) -> None:
        self._changed = changed
        self._answered = answered
        self._session_lives = session_lives
        self._pods: dict[str, PodFacts] = {}
        self._by_session: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._pods)

    def take(self, item: dict[str, Any], gone: bool = False, ours: bool = False) -> None:
        """A pod as the API server sent it, or answered it to us (``ours``: no news); older versions than the one we hold are dropped."""
        meta = item["metadata"]
        known = self._pods.get(meta["uid"])
        if known is not None and ((known.gone and not known.unwatched) or (int(meta["resourceVersion"]) <= known.version and not gone)):
            return
        facts = vanished(read_pod(item)) if gone else read_pod(item)
        self._keep(facts, news=not ours and known != facts)
        if facts.answered and not (known is not None and known.answered) and not facts.gone:
            self._answered(facts.owner_uid, facts.attempt)

    def _keep(self, facts: PodFacts, news: bool = True) -> None:
        if facts.gone and not self._session_lives(facts.namespace, facts.session, facts.owner_uid):
            self._forget(facts)  # nobody is left to settle it, but another session may wait for its name
            self._changed(Key(KIND, facts.namespace, facts.session))
            return
        self._pods[facts.uid] = facts
        self._by_session.setdefault(facts.owner_uid, set()).add(facts.uid)
        if facts.session and news:
            self._changed(Key(KIND, facts.namespace, facts.session))

    def listed(self, uids: set[str], version: int) -> None:
        """Pods that a list did not hold any more are gone, but not those that are newer than the list."""
        for pod in [pod for pod in self._pods.values() if pod.uid not in uids and pod.version <= version and not pod.gone]:
            self._keep(vanished(pod, unwatched=True))

    def missing(self, uid: str) -> None:
        """The API server has no such pod."""
        pod = self._pods.get(uid)
        if pod is not None and not pod.gone:
            self._keep(vanished(pod, unwatched=True))

    def alive(self) -> Counter[str]:
        """How many pods have not ended, by their phase."""
        return Counter(pod.phase for pod in self._pods.values() if not pod.terminal)

    def of(self, session_uid: str) -> list[PodFacts]:
        """The pods of a session, the gone but unsettled included, by attempt."""
        return sorted((self._pods[uid] for uid in self._by_session.get(session_uid, ())), key=lambda pod: pod.attempt)

    def settled_up_to(self, session_uid: str, attempt: int) -> None:
        """The attempts of a session up to this one are in its status."""
        for pod in self.of(session_uid):
            if pod.attempt <= attempt:
                self.settled(pod)

    def settled(self, pod: PodFacts) -> None:
        """Its attempt is in the status: what it said is not needed any more."""
        if pod.gone:
            self._forget(pod)
        elif pod.terminal and pod.containers:
            self._pods[pod.uid] = replace(pod, containers=(), message="")

    def _forget(self, pod: PodFacts) -> None:
        self._pods.pop(pod.uid, None)
        pods = self._by_session.get(pod.owner_uid)
        if pods is not None:
            pods.discard(pod.uid)
            if not pods:
                del self._by_session[pod.owner_uid]

    def forget_session(self, session_uid: str) -> None:
        """The session is gone: its gone pods need no settlement any more."""
        for pod in self.of(session_uid):
            if pod.gone:
                self._forget(pod)
