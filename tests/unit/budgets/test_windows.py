"""Windows: which bucket a moment is in, and when it stops to count; by the clocks of real places."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stint.budgets.windows import BUCKETS, Calendar, Period, Rolling, Window, bounds, from_signature, moment


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("seconds", [10, 59, 60, 61, 90.5, 3600, 86400, 720 * 3600])
def test_a_rolling_window_counts_at_least_its_length_and_little_more(seconds: float) -> None:
    window = Rolling(seconds)
    for at in (0.0, 0.4, 1795255200.0, 1795255259.9):
        end = window.ends(window.bucket(at))
        assert seconds <= end - at <= seconds + window.width


@given(st.floats(10, 720 * 3600), st.floats(0, 4e9))
def test_a_rolling_window_needs_few_buckets(seconds: float, now: float) -> None:
    window = Rolling(seconds)
    assert window.bucket(now) - window.bucket(max(0.0, now - seconds)) <= BUCKETS + 1


@pytest.mark.parametrize(
    ("period", "zone", "at", "begin", "end"),
    [
        ("Hourly", None, "2026-11-21T10:59:59", "2026-11-21T10:00:00", "2026-11-21T11:00:00"),
        ("Hourly", "Asia/Kathmandu", "2026-11-21T10:20:00", "2026-11-21T10:15:00", "2026-11-21T11:15:00"),
        ("Daily", None, "2026-11-21T00:00:00", "2026-11-21T00:00:00", "2026-11-22T00:00:00"),
        ("Daily", "Europe/Paris", "2026-11-21T22:59:59", "2026-11-20T23:00:00", "2026-11-21T23:00:00"),
        ("Daily", "Europe/Paris", "2026-11-21T23:00:00", "2026-11-21T23:00:00", "2026-11-22T23:00:00"),
        ("Daily", "Pacific/Auckland", "2026-11-21T11:00:00", "2026-11-21T11:00:00", "2026-11-22T11:00:00"),
        ("Weekly", None, "2026-11-22T23:59:59", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),
        ("Weekly", "America/New_York", "2026-11-23T04:59:59", "2026-11-16T05:00:00", "2026-11-23T05:00:00"),
        ("Monthly", None, "2026-02-28T12:00:00", "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
        ("Monthly", None, "2028-02-29T12:00:00", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
        ("Monthly", None, "2026-12-31T12:00:00", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("Monthly", "Asia/Tokyo", "2026-01-31T15:00:00", "2026-01-31T15:00:00", "2026-02-28T15:00:00"),
        # clocks are put forward: a day of 23 hours, a month that lacks one
        ("Daily", "Europe/Paris", "2026-03-29T10:00:00", "2026-03-28T23:00:00", "2026-03-29T22:00:00"),
        ("Weekly", "Europe/Paris", "2026-03-29T10:00:00", "2026-03-22T23:00:00", "2026-03-29T22:00:00"),
        ("Monthly", "Europe/Paris", "2026-03-15T10:00:00", "2026-02-28T23:00:00", "2026-03-31T22:00:00"),
        # and back: a day of 25 hours, in which an hour stays an hour
        ("Daily", "America/New_York", "2026-11-01T12:00:00", "2026-11-01T04:00:00", "2026-11-02T05:00:00"),
        ("Hourly", "America/New_York", "2026-11-01T05:30:00", "2026-11-01T05:00:00", "2026-11-01T06:00:00"),
        ("Hourly", "America/New_York", "2026-11-01T06:30:00", "2026-11-01T06:00:00", "2026-11-01T07:00:00"),
        # a midnight that does not exist: the day begins at 1 o'clock
        ("Daily", "Africa/Cairo", "2026-04-24T08:00:00", "2026-04-23T22:00:00", "2026-04-24T21:00:00"),
        # a midnight that comes twice: the day begins with the first
        ("Daily", "America/Havana", "2026-11-01T12:00:00", "2026-11-01T04:00:00", "2026-11-02T05:00:00"),
        # a day that was left out
        ("Daily", "Pacific/Apia", "2011-12-30T09:59:59", "2011-12-29T10:00:00", "2011-12-30T10:00:00"),
        ("Daily", "Pacific/Apia", "2011-12-30T10:00:00", "2011-12-30T10:00:00", "2011-12-31T10:00:00"),
    ],
)
def test_calendar_periods(period: Period, zone: str | None, at: str, begin: str, end: str) -> None:
    assert bounds(period, ZoneInfo(zone) if zone else None, utc(at)) == (utc(begin), utc(end))


@given(
    st.sampled_from(["Hourly", "Daily", "Weekly", "Monthly"]),
    st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu", "Pacific/Chatham", "Africa/Cairo", "America/Havana"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)),
)
@example("Hourly", "Europe/Paris", datetime(2038, 1, 19, 3, 0, 0, 13))
def test_a_moment_is_in_its_period_and_the_next_begins_where_it_ends(period: Period, zone: str, when: datetime) -> None:
    window = Calendar(period, ZoneInfo(zone))
    at = when.replace(tzinfo=UTC).timestamp()
    begin = window.bucket(at)
    end = window.ends(begin)
    assert begin <= at < end <= at + window.span
    assert window.bucket(end) == end
    assert window.bucket(begin) == begin
    assert begin <= window.last(begin) < end


@pytest.mark.parametrize("window", [Rolling(3600), Rolling(90.5), Calendar("Daily"), Calendar("Weekly", ZoneInfo("Europe/Paris"))])
def test_a_signature_comes_back_as_its_window(window: Window) -> None:
    assert from_signature(window.signature) == window


@pytest.mark.parametrize("signature", ["", "Yearly:UTC", "rolling:x"])
def test_what_is_no_signature(signature: str) -> None:
    with pytest.raises(ValueError):
        from_signature(signature)


def test_moments_are_rounded_up_to_whole_seconds() -> None:
    found = moment(utc("2026-11-21T10:00:00") + 0.25)
    assert found == datetime(2026, 11, 21, 10, 0, 1, tzinfo=UTC)
    assert moment(utc("2026-11-21T10:00:00")) + timedelta(seconds=1) == found
