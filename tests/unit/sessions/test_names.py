"""Names that follow from the session alone."""

from __future__ import annotations

import re
import uuid

from stint.sessions.names import POD_SELECTOR, POLICY_SELECTOR, conversation, pod_name, volume_name
from unit.sessions.builders import UID, observed
from unit.sessions.kit import the_pod


def test_a_pod_is_named_after_session_and_attempt() -> None:
    assert pod_name("fix-test", 12) == "fix-test-12"


def test_the_longest_name_of_a_session_makes_a_host_name() -> None:
    assert len(pod_name("s" * 52, 2**31 - 1)) <= 63
    assert re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", volume_name("s" * 52, UID))


def test_a_session_created_again_finds_another_volume() -> None:
    assert volume_name("fix-test", UID) == f"fix-test-{UID[:8]}"
    assert volume_name("fix-test", UID) != volume_name("fix-test", "ffff" + UID[4:])


def test_a_conversation_is_the_same_for_every_attempt_and_different_for_every_session() -> None:
    assert conversation(UID) == conversation(UID)
    assert conversation(UID) != conversation("other")
    assert uuid.UUID(conversation(UID)).version == 5


def test_the_informers_selectors_find_our_pods() -> None:
    labels = the_pod(observed())["metadata"]["labels"]
    for requirement in (*POD_SELECTOR.split(","), *POLICY_SELECTOR.split(",")):
        name, _, value = requirement.partition("=")
        assert name in labels
        assert not value or labels[name] == value
