"""The pods that we know of: nothing is forgotten before it is settled, nothing is kept after."""

from __future__ import annotations

from simulation.pod_status import Json
from stint.engine.keys import Key
from stint.sessions.pod_store import PodStore
from unit.sessions.builders import NAME, NAMESPACE, UID, ahead, ended_pod, pod, running_pod

KEY = Key("AgentSession", NAMESPACE, NAME)


class Told:
    """Whom a store woke, and whether the session lives."""

    def __init__(self, *, lives: bool = True) -> None:
        self.keys: list[Key] = []
        self.lives = lives
        self.answered: list[tuple[str, int]] = []
        self.store = PodStore(self.keys.append, lambda namespace, name, uid: self.lives, lambda uid, attempt: self.answered.append((uid, attempt)))

    def news(self) -> list[Key]:
        found = list(self.keys)
        self.keys.clear()
        return found


def test_a_new_pod_wakes_its_session() -> None:
    told = Told()
    told.store.take(pod())
    assert told.news() == [KEY]
    assert [one.name for one in told.store.of(UID)] == [f"{NAME}-1"]
    assert len(told.store) == 1


def test_the_answer_to_our_own_creation_is_no_news() -> None:
    told = Told()
    told.store.take(pod(), ours=True)
    assert told.news() == []
    assert len(told.store) == 1


def test_a_change_that_no_plan_can_see_wakes_nobody() -> None:
    told = Told()
    told.store.take(pod(version=1))
    told.news()
    told.store.take(pod(version=2))
    assert told.news() == []
    assert told.store.of(UID)[0].version == 2


def test_an_older_version_is_dropped() -> None:
    told = Told()
    told.store.take(running_pod(version=5))
    told.news()
    told.store.take(pod(version=4))
    told.store.take(pod(version=5))
    assert told.news() == []
    assert told.store.of(UID)[0].phase == "Running"


def test_pods_of_a_session_are_given_by_attempt() -> None:
    told = Told()
    for number in (3, 1, 2):
        told.store.take(pod(number=number))
    assert [one.attempt for one in told.store.of(UID)] == [1, 2, 3]
    assert told.store.of("nobody") == []


def test_a_pod_that_disappears_stays_until_it_is_settled() -> None:
    told = Told()
    told.store.take(running_pod(version=1))
    told.news()
    told.store.take(running_pod(version=1), gone=True)
    assert told.news() == [KEY]
    (one,) = told.store.of(UID)
    assert (one.gone, one.unwatched) == (True, False)
    told.store.settled(one)
    assert len(told.store) == 0
    assert told.store.of(UID) == []


def test_what_comes_after_the_last_word_of_a_pod_is_dropped() -> None:
    told = Told()
    told.store.take(running_pod(version=1), gone=True)
    told.news()
    told.store.take(running_pod(version=9))
    assert told.news() == []
    assert told.store.of(UID)[0].gone


def test_the_last_words_of_a_pod_that_went_unwatched_still_count() -> None:
    told = Told()
    told.store.take(running_pod(version=1))
    told.store.missing("pod-1")
    assert told.store.of(UID)[0].unwatched
    told.store.take(ended_pod("said", version=2), gone=True)
    (one,) = told.store.of(UID)
    assert (one.gone, one.unwatched, one.phase) == (True, False, "Failed")


def test_a_settled_pod_that_is_still_there_loses_its_words_only() -> None:
    told = Told()
    told.store.take(ended_pod("said", "counted"))
    told.store.settled(told.store.of(UID)[0])
    (one,) = told.store.of(UID)
    assert (one.containers, one.message, one.terminal) == ((), "", True)
    told.store.settled(one)
    assert told.store.of(UID) == [one]


def test_a_pod_that_still_runs_is_never_stripped() -> None:
    told = Told()
    told.store.take(running_pod())
    told.store.settled(told.store.of(UID)[0])
    assert told.store.of(UID)[0].containers != ()


def test_pods_that_a_list_does_not_hold_went_unwatched() -> None:
    told = Told()
    for number in (1, 2, 3):
        told.store.take(pod(number=number, version=10 * number))
    told.news()
    told.store.listed({"pod-2"}, 20)
    assert [(one.attempt, one.gone, one.unwatched) for one in told.store.of(UID)] == [(1, True, True), (2, False, False), (3, False, False)]
    assert told.news() == [KEY]
    told.store.listed({"pod-2"}, 20)
    assert told.news() == [], "a pod goes once"


def test_a_pod_that_only_we_know_of_is_found_missing() -> None:
    told = Told()
    told.store.take(pod(version=10), ours=True)
    told.store.listed(set(), 30)
    assert told.store.of(UID)[0].gone


def test_a_pod_replaced_by_another_of_its_name_is_gone() -> None:
    told = Told()
    told.store.take(pod(uid="old", version=10))
    told.store.take(pod(uid="new", version=20))
    told.store.listed({"new"}, 20)
    assert {one.uid: one.gone for one in told.store.of(UID)} == {"old": True, "new": False}


def test_a_pod_that_nobody_has_may_be_missing_twice() -> None:
    told = Told()
    told.store.missing("pod-1")
    told.store.take(running_pod())
    told.store.missing("pod-1")
    told.news()
    told.store.missing("pod-1")
    assert told.news() == []


def test_the_pod_of_a_session_that_is_gone_is_forgotten_but_told() -> None:
    told = Told(lives=False)
    told.store.take(running_pod(version=1))
    told.news()
    told.store.take(running_pod(version=2), gone=True)
    assert len(told.store) == 0
    assert told.news() == [KEY], "a session created again may wait for its name"


def test_the_pod_of_nobody_is_forgotten_without_a_trace() -> None:
    told = Told(lives=False)
    told.store.take(running_pod(version=2), gone=True)
    assert len(told.store) == 0


def test_a_pod_without_a_session_wakes_nobody() -> None:
    told = Told()
    told.store.take(pod(labels={"stint.dev/session": ""}))
    assert told.news() == []


def test_a_session_that_goes_takes_its_gone_pods_with_it() -> None:
    told = Told()
    told.store.take(running_pod(1, version=1), gone=True)
    told.store.take(running_pod(2, version=1, deleting=ahead(5)))
    told.store.forget_session(UID)
    assert [one.attempt for one in told.store.of(UID)] == [2]


def ready_pod(version: int, *, ready: bool = True) -> Json:
    item = running_pod(version=version)
    item["status"]["initContainerStatuses"][0]["ready"] = ready
    return item


def test_the_first_good_answer_of_the_model_is_told_once_and_is_no_news_to_the_session() -> None:
    told = Told()
    told.store.take(ready_pod(200, ready=False))
    told.news()
    told.store.take(ready_pod(201))
    told.store.take(ready_pod(202, ready=False))
    told.store.take(ready_pod(203))
    assert told.answered == [(UID, 1), (UID, 1)]
    assert told.news() == []
    told.store.take(ready_pod(204), gone=True)
    assert len(told.answered) == 2, "what has gone answers no more"
