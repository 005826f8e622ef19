"""Candidates for one Lease, in virtual time: who leads when, and that there are never two who may act."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from stint.engine.leadership import Leadership, LeadershipLost, elapsed
from stint.kube.errors import Refused
from unit.engine.lease_kit import Candidate, Election, election


async def takes_over(standby: Candidate, within: float) -> float:
    """Seconds until it leads."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.timeout(within):
        await standby.it.won.wait()
    return loop.time() - begun


def test_the_first_one_leads_at_once_and_says_so() -> None:
    async def scenario(it: Election) -> None:
        first = it.candidate()
        assert await takes_over(first, 0.1) == 0
        await asyncio.sleep(1)
        assert first.it.leading
        assert first.it.since == it.loop.clock() - timedelta(seconds=1)
        assert it.server.holders == [first.it.identity]
        assert first.connection.events == [f"{first.it.identity} became leader"]

    election(scenario)


def test_a_leader_renews_every_two_seconds_and_a_standby_writes_nothing() -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        before = first.connection.writes
        await asyncio.sleep(600)
        assert 295 <= first.connection.writes - before <= 300
        assert first.it.leading
        assert (second.it.leading, second.connection.writes) == (False, 0)
        assert second.connection.watches == 1

    election(scenario)


def test_a_lease_that_is_released_is_taken_at_once() -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        await first.terminate()
        assert await takes_over(second, 1) == 0
        assert it.server.holders == [first.it.identity, "", second.it.identity]
        assert it.server.item is not None
        assert it.server.item["spec"]["leaseTransitions"] == 1
        assert not first.it.leading

    election(scenario)


def test_the_lease_of_a_leader_that_was_killed_is_taken_when_it_expires() -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        await first.kill()
        assert 13 <= await takes_over(second, 20) <= 15

    election(scenario)


@pytest.mark.parametrize("skew", [timedelta(days=-1), timedelta(hours=1)])
def test_clocks_that_are_wrong_change_nothing(skew: timedelta) -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        second.skew = skew
        await asyncio.sleep(100)
        assert not second.it.won.is_set()
        await first.kill()
        assert 13 <= await takes_over(second, 20) <= 15

    election(scenario)


def test_two_who_begin_together_do_not_both_lead() -> None:
    async def scenario(it: Election) -> None:
        candidates = [it.candidate() for _ in range(3)]
        await asyncio.sleep(100)
        assert sum(each.it.won.is_set() for each in candidates) == 1
        assert [each.lost for each in candidates] == ["", "", ""]

    election(scenario)


@pytest.mark.parametrize("trouble", ["down", "hangs"])
def test_a_leader_without_an_api_server_ends_five_seconds_before_another_follows(trouble: str) -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        setattr(first.connection, trouble, True)
        assert first.task is not None
        begun = it.loop.time()
        await asyncio.wait([first.task])
        assert 7.9 <= it.loop.time() - begun <= 10
        assert first.lost == "the Lease could not be renewed for 10 s"
        assert not first.it.leading
        assert 4.9 <= await takes_over(second, 10) <= 7.1

    election(scenario)


@pytest.mark.parametrize("trouble", ["down", "hangs"])
def test_a_leader_that_reaches_the_api_server_again_in_time_goes_on(trouble: str) -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        setattr(first.connection, trouble, True)
        await asyncio.sleep(3)
        setattr(first.connection, trouble, False)
        await asyncio.sleep(60)
        assert (first.lost, first.it.leading, second.it.won.is_set()) == ("", True, False)

    election(scenario)


def test_a_leader_that_wakes_after_its_deadline_may_not_act_before_a_line_of_the_election_has_run() -> None:
    async def scenario(it: Election) -> None:
        first, _ = await it.leader_and_standby()
        first.it.check()
        first.slept = 20
        with pytest.raises(LeadershipLost, match="does not lead"):
            first.it.check()
        assert first.it.overdue
        await asyncio.sleep(3)
        assert first.lost == "the Lease could not be renewed for 10 s"
        assert not first.it.overdue

    election(scenario)


def test_a_standby_may_not_act() -> None:
    async def scenario(it: Election) -> None:
        _, second = await it.leader_and_standby()
        with pytest.raises(LeadershipLost):
            second.it.check()
        assert not second.it.overdue

    election(scenario)


def test_a_renewal_whose_answer_was_lost_is_found_and_followed_by_another() -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        first.connection.lost_answers = 1
        await asyncio.sleep(60)
        assert (first.lost, first.it.leading, second.it.won.is_set()) == ("", True, False)

    election(scenario)


def test_a_first_write_whose_answer_was_lost_makes_nobody_leader_before_it_is_written_again() -> None:
    async def scenario(it: Election) -> None:
        first = Candidate(it.server, it.loop)
        it.candidates.append(first)
        first.connection.lost_answers = 1
        first.start()
        await asyncio.sleep(1)
        assert (it.server.holders, first.it.won.is_set()) == ([first.it.identity], False)
        await asyncio.sleep(2)
        assert first.it.leading
        assert it.server.item is not None
        assert it.server.item["spec"]["leaseTransitions"] == 0

    election(scenario)


def test_a_leader_whose_lease_another_has_taken_by_force_ends_at_once() -> None:
    async def scenario(it: Election) -> None:
        first, _ = await it.leader_and_standby()
        assert it.server.item is not None
        await it.server.write({**it.server.item, "spec": {**it.server.item["spec"], "holderIdentity": "somebody"}}, "MODIFIED")
        await asyncio.sleep(0.1)
        assert first.lost == "the Lease is held by somebody"

    election(scenario)


def test_a_lease_that_is_deleted_is_made_again_and_only_one_leads() -> None:
    async def scenario(it: Election) -> None:
        candidates = await it.leader_and_standby()
        await it.server.remove()
        await asyncio.sleep(30)
        leaders = [each for each in candidates if each.it.leading]
        assert len(leaders) == 1
        assert [bool(each.lost) for each in candidates] == [each not in leaders for each in candidates]

    election(scenario)


def test_a_standby_whose_watch_is_silent_does_not_take_a_lease_that_is_renewed() -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        second.connection.deaf = True
        await asyncio.sleep(300)
        assert (first.lost, second.it.won.is_set()) == ("", False)
        await first.kill()
        await takes_over(second, 31)

    election(scenario)


def test_a_standby_whose_watch_broke_watches_again() -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        second.connection.down = True
        await asyncio.sleep(5)
        second.connection.down = False
        await asyncio.sleep(3)
        assert second.connection.watches == 2
        await first.terminate()
        assert await takes_over(second, 1) == 0

    election(scenario)


def test_a_label_on_the_lease_keeps_no_dead_leader_alive_and_is_kept() -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        await first.kill()
        await asyncio.sleep(10)
        await it.server.edit(labels={"by": "hand"})
        assert await takes_over(second, 5.1) <= 5
        assert it.server.item is not None
        assert it.server.item["metadata"]["labels"] == {"by": "hand"}

    election(scenario)


def test_without_permission_it_says_so_and_goes_on_trying(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(it: Election) -> None:
        first = Candidate(it.server, it.loop)
        it.candidates.append(first)
        first.connection.refuses = Refused(403, "Forbidden", "cannot create leases")
        first.start()
        await asyncio.sleep(9)
        assert not first.it.won.is_set()
        assert first.connection.writes == 5
        first.connection.refuses = None
        await takes_over(first, 2.1)

    with caplog.at_level(logging.WARNING):
        election(scenario)
    assert "the Lease stint-system/stint-controller cannot be written: 403 Forbidden: cannot create leases" in caplog.text


def test_who_leads_is_logged_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        await asyncio.sleep(60)
        await first.terminate()
        await asyncio.sleep(60)
        said = [(record.getMessage(), getattr(record, "leader", None)) for record in caplog.records]
        assert said == [
            (f"{first.it.identity} leads", first.it.identity),
            (f"standing by; {first.it.identity} leads", first.it.identity),
            (f"{first.it.identity} has released the Lease", None),
            (f"{second.it.identity} leads", second.it.identity),
        ]

    with caplog.at_level(logging.INFO, "stint"):
        election(scenario)


def test_who_never_led_releases_nothing_and_who_has_lost_neither() -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        writes = it.server.version
        await second.terminate()
        first.slept = 20
        await asyncio.sleep(3)
        await first.it.release()
        assert it.server.version == writes

    election(scenario)


@pytest.mark.parametrize("trouble", ["down", "hangs"])
def test_a_lease_that_cannot_be_released_ends_nothing_and_expires(trouble: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(it: Election) -> None:
        first, second = await it.leader_and_standby()
        setattr(first.connection, trouble, True)
        await first.terminate()
        await takes_over(second, 20)

    election(scenario)
    assert "the Lease could not be released, and expires" in caplog.text


def test_what_another_holds_by_now_is_not_released() -> None:
    async def scenario(it: Election) -> None:
        first, _ = await it.leader_and_standby()
        await first.kill()
        assert it.server.item is not None
        await it.server.write({**it.server.item, "spec": {**it.server.item["spec"], "holderIdentity": "somebody"}}, "MODIFIED")
        await first.it.release()
        assert it.server.holders[-1] == "somebody"

    election(scenario)


def test_an_event_that_cannot_be_written_ends_nothing() -> None:
    async def scenario(it: Election) -> None:
        first = it.candidate()
        await first.it.won.wait()
        first.connection.down = True
        await asyncio.sleep(3)
        first.connection.down = False
        await asyncio.sleep(20)
        assert (first.it.leading, first.connection.events) == (True, [])

    election(scenario)


async def test_no_two_processes_have_the_same_name_and_their_clock_only_goes_forward() -> None:
    names = {Leadership(Candidate.__new__(Candidate), "x", lambda: None).identity for _ in range(2)}  # type: ignore[arg-type,return-value]
    assert len(names) == 2
    assert elapsed() <= elapsed()
