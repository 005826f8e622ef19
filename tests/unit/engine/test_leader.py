"""The decision about the Lease, as a table: the Lease as it was seen, what we have done so far, and what to do now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from stint.engine.leader import Decision, Lease, Lost, Sight, Wait, Write, deadline, decide, held, micro_time, read_lease, released

US, OTHER = "a_1", "b_2"
NOW = datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC)
WRITTEN = "2026-11-21T10:00:00.123456Z"
TAKEN = Lost("the Lease is held by b_2")
NOT_RENEWED = Lost("the Lease could not be renewed for 10 s")


def by(holder: str, duration: float = 15) -> Lease:
    return Lease(holder, duration)


@pytest.mark.parametrize(
    ("lease", "since", "now", "failed", "expected"),
    [
        (None, 0, 0, None, Write()),
        (None, 0, 1, 0, Wait(2)),
        (None, 0, 2, 0, Write()),
        (by(""), 0, 0, None, Write()),
        (by("", 3600), 0, 0, None, Write()),
        (by("", 3600), 0, 1.5, 0, Wait(2)),
        (by(OTHER), 100, 100, None, Wait(115)),
        (by(OTHER), 100, 114.9, None, Wait(115)),
        (by(OTHER), 100, 115, None, Write()),
        (by(OTHER, 60), 100, 115, None, Wait(160)),
        (by(OTHER), 100, 115, 114, Wait(116)),
        (by(OTHER), 100, 102, 101, Wait(115)),
        (by(US), 100, 100, None, Write()),
    ],
    ids=[
        "there is no Lease", "none, tried just now", "none, tried a while ago", "released", "released, long duration", "released, tried just now",
        "just seen", "not expired yet", "expired", "the holder's own duration counts", "expired, tried just now", "a failed try shortens nothing",
        "our own write, whose answer was lost",
    ],
)  # fmt: skip
def test_a_standby_acquires_what_is_free_or_was_not_written_for_its_duration(
    lease: Lease | None, since: float, now: float, failed: float | None, expected: Decision
) -> None:
    assert decide(Sight(lease, since), US, now, renewed=None, failed=failed) == expected


@pytest.mark.parametrize(
    ("lease", "now", "failed", "expected"),
    [
        (by(US), 100, None, Wait(102)),
        (by(US), 101.9, None, Wait(102)),
        (by(US), 102, None, Write()),
        (by(US), 103, 102, Wait(104)),
        (by(US), 104, 102, Write()),
        (by(US), 109, 108.5, Wait(110)),
        (by(US), 109.9, None, Write()),
        (by(US), 110, None, NOT_RENEWED),
        (by(US), 1000, 102, NOT_RENEWED),
        (by(OTHER), 101, None, TAKEN),
        (by(""), 101, None, Lost("somebody released the Lease")),
        (None, 101, None, Wait(102)),
        (None, 102, None, Write()),
        (None, 110, None, NOT_RENEWED),
    ],
    ids=[
        "just renewed", "not due yet", "due", "tried just now", "tried a while ago", "woken at the deadline, not after it", "late, but in time",
        "at the deadline", "woken long after", "taken by another", "released by somebody", "deleted, not due yet", "deleted", "deleted, at the deadline",
    ],
)  # fmt: skip
def test_a_leader_renews_in_time_or_has_lost(lease: Lease | None, now: float, failed: float | None, expected: Decision) -> None:
    assert decide(Sight(lease, 100), US, now, renewed=100, failed=failed) == expected


@pytest.mark.parametrize("delay", [0, 3, 60])
def test_a_leader_stops_before_anybody_follows_however_late_its_renewal_is_seen(delay: float) -> None:
    sent = 100.0
    seen = Sight(by(US), sent + delay)
    follows = decide(seen, OTHER, seen.since, renewed=None)
    assert isinstance(follows, Wait)
    assert deadline(sent) + 5 <= follows.until


def test_a_lease_that_somebody_made_by_hand_can_be_read() -> None:
    assert read_lease({"metadata": {}}) == Lease("")
    assert read_lease({"spec": None}) == Lease("")
    assert read_lease({"spec": {"holderIdentity": None, "leaseDurationSeconds": None, "leaseTransitions": None}}) == Lease("")


def test_what_is_written_is_what_kubernetes_own_components_write() -> None:
    spec = held(None, US, NOW)
    assert spec == {"holderIdentity": US, "leaseDurationSeconds": 15, "acquireTime": WRITTEN, "renewTime": WRITTEN, "leaseTransitions": 0}
    assert read_lease({"spec": spec}) == Lease(US, 15, WRITTEN, WRITTEN, 0)


def test_a_renewal_moves_nothing_but_its_time() -> None:
    before = Lease(US, 15, "2026-11-21T09:00:00.000000Z", "2026-11-21T09:59:58.000000Z", 3)
    after = read_lease({"spec": held(before, US, NOW)})
    assert (after.acquired, after.transitions, after.renewed) == (before.acquired, 3, WRITTEN)


@pytest.mark.parametrize("holder", [OTHER, ""])
def test_each_new_holder_is_a_transition(holder: str) -> None:
    after = read_lease({"spec": held(Lease(holder, 1, "long ago", "long ago", 3), US, NOW)})
    assert after == Lease(US, 15, WRITTEN, WRITTEN, 4)


def test_a_released_lease_has_no_holder_and_remembers_its_transitions() -> None:
    assert released(Lease(US, 15, "x", "y", 3), NOW) == {
        "holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": WRITTEN, "renewTime": WRITTEN, "leaseTransitions": 3,
    }  # fmt: skip


def test_times_are_in_utc_with_six_digits() -> None:
    paris = timezone(timedelta(hours=1))
    assert micro_time(datetime(2026, 11, 21, 11, 0, tzinfo=paris)) == "2026-11-21T10:00:00.000000Z"
