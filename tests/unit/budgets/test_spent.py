"""What counts of what was spent: exactly what the buckets say, wherever the clock jumps."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from stint.budgets.amounts import ZERO
from stint.budgets.spent import MOST_BUCKETS, Spent
from stint.budgets.windows import Calendar, Rolling, Window

HOUR = 3600.0
WINDOWS: tuple[Window, ...] = (Rolling(60), Rolling(HOUR), Calendar("Hourly"), Calendar("Daily"))


def test_an_amount_counts_until_its_window_is_over() -> None:
    spent = Spent(Rolling(HOUR))
    spent.add(30, "a", Decimal(5))
    assert spent.total(30) == 5
    assert spent.total(HOUR + 30) == 5
    assert spent.total(HOUR + 60) == 0
    assert spent.falls(30) == HOUR + 60


def test_a_calendar_forgets_everything_at_once() -> None:
    spent = Spent(Calendar("Hourly"))
    spent.add(1, "a", Decimal(5))
    spent.add(3599, "a", Decimal(2))
    assert spent.total(3599) == 7
    assert spent.total(3600) == 0
    assert spent.falls(3599) == 3600


def test_namespaces_are_told_apart() -> None:
    spent = Spent(Rolling(HOUR))
    spent.add(0, "a", Decimal(5))
    spent.add(0, "b", Decimal(2))
    assert [spent.of(who, 0) for who in "abc"] == [5, 2, 0]


def test_it_says_when_enough_will_be_free() -> None:
    spent = Spent(Rolling(60))
    for at in (0, 10, 20):
        spent.add(at, "a", Decimal(1))
    assert spent.at_most(Decimal(3), 20) == 20
    assert spent.at_most(Decimal(2), 20) == 61
    assert spent.at_most(Decimal(0), 20) == 81
    assert spent.at_most(Decimal(-1), 20) is None
    assert spent.below(Decimal(3), 20) == 61
    assert spent.below(Decimal(4), 20) == 20


amount = st.integers(1, 5).map(Decimal)
events = st.lists(st.tuples(st.sampled_from(["add", "back", "look"]), st.floats(0, 3 * HOUR), st.sampled_from("ab"), amount), max_size=60)


@given(st.sampled_from(WINDOWS), events)
def test_sums_are_what_the_buckets_say_whatever_the_clock_does(window: Window, events: list[tuple[str, float, str, Decimal]]) -> None:
    spent, added = Spent(window), []
    for what, at, who, much in events:
        if what == "add":
            spent.add(at, who, much)
            added.append((at, who, much))
        elif what == "back" and added:
            at, who, much = added.pop()
            spent.add(at, who, -much)
        else:
            counted = [entry for entry in added if window.ends(window.bucket(entry[0])) > at]
            assert spent.total(at) == sum((entry[2] for entry in counted), ZERO)
            assert spent.of(who, at) == sum((entry[2] for entry in counted if entry[1] == who), ZERO)


def test_memory_is_bounded_and_the_newest_stay() -> None:
    spent = Spent(Rolling(60))
    for at in range(10_000):
        spent.add(at, "a", Decimal(1))
    assert len(spent._buckets) == MOST_BUCKETS
    assert spent.total(9_999) == 61


def test_taking_back_what_was_forgotten_changes_nothing() -> None:
    spent = Spent(Rolling(60))
    for at in range(1_000):
        spent.add(at, "a", Decimal(1))
    spent.add(0, "a", Decimal(-1))
    assert spent.total(0) == MOST_BUCKETS
